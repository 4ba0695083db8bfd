"""The port, built into a fake root: its packing lists name what is there, and no more."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from openbsd import plist
from openbsd.__main__ import updated
from openbsd.port import TREE, VERSION, fake, missing, packages

pytestmark = pytest.mark.skipif(missing() != "", reason=missing())

SITE = f"lib/python{VERSION}/site-packages"
PROGRAMS = {
    "libexec/smtpd/filter-dkimsign": "-dkimsign",
    "libexec/smtpd/filter-auth": "-auth",
    "libexec/smtpd/filter-dnsbl": "-dnsbl",
    "libexec/smtpd/filter-fcrdns": "-rdns",
    "libexec/smtpd/filter-archive": "-archive",
    "libexec/smtpd/filter-greylist": "-greylist",
    "libexec/smtpd/filter-headers": "-headers",
    "libexec/smtpd/filter-limit": "-limit",
    "libexec/smtpd/filter-senderscore": "-senderscore",
    "libexec/smtpd/filter-metrics": "-metrics",
    "libexec/smtpd/filter-milter": "-milter",
    "libexec/smtpd/filter-rdns": "-rdns",
    "libexec/smtpd/filter-record": "-filterrecord",
    "libexec/smtpd/filter-rspamd": "-rspamd",
    "libexec/smtpd/table-dovecot": "-dovecot",
    "libexec/smtpd/table-flat": "-flat",
    "libexec/smtpd/table-ldap": "-ldap",
    "libexec/smtpd/table-mysql": "-mysql",
    "libexec/smtpd/table-passwd": "-passwd",
    "libexec/smtpd/table-postgres": "-postgres",
    "libexec/smtpd/table-record": "-tablerecord",
    "libexec/smtpd/table-redis": "-redis",
    "libexec/smtpd/table-socketmap": "-socketmap",
    "libexec/smtpd/table-sqlite": "-sqlite",
    "bin/opensmtpd-plugins": "-operator",
}

COMPLETIONS = {
    "bash-completion/completions/opensmtpd-plugins": "_opensmtpd_plugins_completion_setup;",
    "fish/vendor_completions.d/opensmtpd-plugins.fish": "function _opensmtpd_plugins_completion;",
    "zsh/site-functions/_opensmtpd-plugins": "#compdef opensmtpd-plugins",
}
"""A line of each script that no other shell would have."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake(tmp_path_factory.mktemp("openbsd"))


def lists() -> dict[str, plist.Plist]:
    return {name: plist.read(package.text("PLIST")) for name, package in packages().items()}


def test_the_lists_together_name_each_file_and_folder_once(root: Path) -> None:
    named = [path for each in lists().values() for path in each.paths]
    assert named.count("libexec/smtpd/") == 23  # of each plugin: no package has it for all
    named = [path for path in named if path != "libexec/smtpd/"] + ["libexec/smtpd/"]
    there = plist.installed(root, VERSION)
    # PYTHONPATH=tests .venv/bin/python -m openbsd writes the lists anew.
    assert [path for path in there if path not in named] == []
    assert [path for path in named if path not in there] == []
    assert plist.in_order(named) == there


@pytest.mark.parametrize("name", packages())
def test_each_list_is_as_update_plist_would_write_it(name: str, root: Path) -> None:
    assert packages()[name].source("PLIST") == updated(plist.installed(root, VERSION))[name]


def install(root: Path, to: Path, names: list[str]) -> Path:
    """Install packages from the fake root, by their lists; return the new /usr/local."""
    base = to / "usr/local"
    for path in (path for name in names for path in lists()[name].paths):
        if path.endswith("/"):
            (base / path).mkdir(parents=True, exist_ok=True)
        else:
            (base / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / "usr/local" / path, base / path)
    return base


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_runs_with_its_package_and_the_library(
    program: str, root: Path, tmp_path: Path
) -> None:
    base = install(root, tmp_path, ["-main", PROGRAMS[program]])
    done = subprocess.run(
        [str(base / program), "--version"],
        env={**os.environ, "PYTHONPATH": str(base / SITE)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.split()[0] == Path(program).name


def test_every_module_is_compiled_as_py_installer_does_it(root: Path) -> None:
    tag = f"cpython-{VERSION.replace('.', '')}"
    named = {path for each in lists().values() for path in each.paths}
    modules = [path for path in named if path.startswith(SITE) and path.endswith(".py")]
    assert len(modules) > 100
    for path in map(Path, modules):
        for end in ("pyc", "opt-1.pyc"):
            assert str(path.parent / "__pycache__" / f"{path.stem}.{tag}.{end}") in named


def test_programs_can_be_run_and_nothing_else_but_its_owner_may_write(root: Path) -> None:
    for path in (root / "usr/local").rglob("*"):
        mode = path.stat().st_mode & 0o7777
        inside = str(path.relative_to(root / "usr/local"))
        expected = 0o755 if path.is_dir() or inside in PROGRAMS else 0o644
        assert (inside, oct(mode)) == (inside, oct(expected))


def test_only_a_package_with_the_same_files_is_in_the_way() -> None:
    conflicts = {name: each.said["@conflict"] for name, each in lists().items()}
    assert {name: each for name, each in conflicts.items() if each} == {
        "-auth": ["opensmtpd-filter-auth-*"],
        "-dkimsign": ["opensmtpd-filter-dkimsign-*"],
        "-dnsbl": ["opensmtpd-filter-dnsbl-*"],
        "-rspamd": ["opensmtpd-filter-rspamd-*"],
        "-senderscore": ["opensmtpd-filter-senderscore-*"],
        **{
            f"-{name}": ["opensmtpd-extras-*", f"opensmtpd-table-{name}-*"]
            for name in ("ldap", "mysql", "passwd", "postgres", "redis", "socketmap", "sqlite")
        },
    }


def test_the_keys_have_the_user_and_the_folder_that_the_c_package_gives_them() -> None:
    found = lists()["-dkimsign"]
    assert found.said["@newgroup"] == ["_dkimsign:843"]
    assert found.said["@newuser"] == [
        "_dkimsign:843:843:daemon:OpenSMTP DKIM signer:/nonexistent:/sbin/nologin"
    ]
    assert found.samples == [
        ("", plist.Entry("/etc/mail/dkim/", mode="0770", owner="_dkimsign", group="_dkimsign"))
    ]
    users = ("-archive", "-auth", "-dkimsign", "-greylist", "-limit", "-metrics")
    others = [each for name, each in lists().items() if name not in users]
    assert not any(each.said["@newuser"] or each.said["@newgroup"] for each in others)
    entries = [entry for each in lists().values() for entry in each.entries]
    assert {entry[1:] for entry in entries} == {("", "", "")}


@pytest.mark.parametrize(
    ("name", "number"), [("auth", 890), ("greylist", 892), ("limit", 893), ("archive", 894)]
)
def test_what_is_kept_has_a_folder_of_a_user_of_its_own(name: str, number: int) -> None:
    found, user = lists()[f"-{name}"], f"_{name}"
    assert found.said["@newgroup"] == [f"{user}:{number}"]
    (made,) = found.said["@newuser"]
    assert made.split(":")[:3] == [user, f"{number}", f"{number}"]
    folder = "/var/db/opensmtpd-plugins/"
    assert found.samples == [
        ("", plist.Entry(folder, mode="", owner="", group="")),
        ("", plist.Entry(f"{folder}{name}/", mode="0700", owner=user, group=user)),
    ]


def test_counts_have_a_folder_where_each_plugin_may_put_a_file() -> None:
    found = lists()["-metrics"]
    assert found.said["@newgroup"] == ["_metrics:891"]
    assert [each.partition(":")[0] for each in found.said["@newuser"]] == ["_metrics"]
    folder = "/var/db/opensmtpd-plugins/"
    assert found.samples == [
        ("", plist.Entry(folder, mode="", owner="", group="")),
        ("", plist.Entry(f"{folder}metrics/", mode="1733", owner="_metrics", group="_metrics")),
        ("", plist.Entry(f"{folder}metrics-out/", mode="0755", owner="_metrics", group="_metrics")),
    ]


def test_samples_are_copies_of_files_in_the_package(root: Path) -> None:
    samples = [pair for name, each in lists().items() for pair in each.samples if pair[0]]
    example = "share/examples/opensmtpd-table-sqlite-py/sqlite.conf"
    assert samples == [(example, plist.Entry("/etc/mail/sqlite.conf", "", "", ""))]
    assert (root / "usr/local" / example).is_file()


def test_examples_are_in_the_package_of_the_library(root: Path) -> None:
    folder, source = "share/examples/py3-opensmtpd", TREE / "examples"
    wanted = {f"{folder}/{path.name}" for path in source.iterdir() if path.is_file()}
    wanted.add(f"{folder}/")
    assert {path for path in lists()["-main"].paths if path.startswith("share/")} == wanted
    for path in (root / "usr/local" / folder).iterdir():
        assert path.read_bytes() == (source / path.name).read_bytes(), path.name


def test_completions_are_scripts_of_their_shells(root: Path) -> None:
    for path, words in COMPLETIONS.items():
        assert words in (root / "usr/local/share" / path).read_text().splitlines(), path


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_manual_pages_stand_in_their_sections_and_are_sound(root: Path) -> None:
    pages = sorted((root / "usr/local/man").glob("man*/*"))
    assert {page.name for page in pages} == {
        page.name for page in (TREE / "packaging/man").iterdir()
    }
    assert [page.parent.name for page in pages] == [f"man{page.suffix[1:]}" for page in pages]
    linted = subprocess.run(
        ["mandoc", "-Tlint", "-W", "warning", *map(str, pages)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert linted.stdout == ""


@pytest.mark.parametrize(
    "line", ["@bin bin/x", "@exec rm -rf /", "@lib lib/libx.so.1.0", "@shell bin/sh"]
)  # what pkg_create knows, and nothing of ours has
def test_a_line_of_an_unknown_kind_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="unknown: @"):
        plist.read(line)


def test_a_mode_that_would_go_on_to_the_next_package_is_refused() -> None:
    with pytest.raises(ValueError, match="still in force"):
        plist.read("@mode 0770\n@sample /etc/mail/dkim/\n")
