"""The built Debian packages: what is in them, and that lintian has no word against them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.root.plugin import TREE

PYTHON = "usr/lib/python3/dist-packages"
LIBEXEC = "usr/libexec/opensmtpd"
EXAMPLES = "usr/share/doc/python3-opensmtpd/examples"
DKIMSIGN = "opensmtpd-filter-dkimsign-py"
AUTH = "opensmtpd-filter-auth-py"
GREYLIST = "opensmtpd-filter-greylist-py"
METRICS = "opensmtpd-filter-metrics-py"
ARCHIVE, LIMIT = "opensmtpd-filter-archive-py", "opensmtpd-filter-limit-py"
OWN = {
    "opensmtpd-filter-auth-py": {
        f"{LIBEXEC}/filter-auth",
        "usr/lib/sysusers.d/opensmtpd-filter-auth-py.conf",
        "usr/share/man/man8/filter-auth.8.gz",
    },
    DKIMSIGN: {
        f"{LIBEXEC}/filter-dkimsign",
        "usr/lib/sysusers.d/opensmtpd-filter-dkimsign-py.conf",
        "usr/share/man/man8/filter-dkimsign.8.gz",
    },
    "opensmtpd-filter-dnsbl-py": {
        f"{LIBEXEC}/filter-dnsbl",
        "usr/share/man/man8/filter-dnsbl.8.gz",
    },
    GREYLIST: {
        f"{LIBEXEC}/filter-greylist",
        "usr/lib/sysusers.d/opensmtpd-filter-greylist-py.conf",
        "usr/share/man/man8/filter-greylist.8.gz",
    },
    ARCHIVE: {
        f"{LIBEXEC}/filter-archive",
        "usr/lib/sysusers.d/opensmtpd-filter-archive-py.conf",
        "usr/share/man/man8/filter-archive.8.gz",
    },
    "opensmtpd-filter-headers-py": {
        f"{LIBEXEC}/filter-headers",
        "usr/share/man/man8/filter-headers.8.gz",
    },
    LIMIT: {
        f"{LIBEXEC}/filter-limit",
        "usr/lib/sysusers.d/opensmtpd-filter-limit-py.conf",
        "usr/share/man/man8/filter-limit.8.gz",
    },
    "opensmtpd-filter-senderscore-py": {
        f"{LIBEXEC}/filter-senderscore",
        "usr/share/man/man8/filter-senderscore.8.gz",
    },
    METRICS: {
        f"{LIBEXEC}/filter-metrics",
        "usr/lib/sysusers.d/opensmtpd-filter-metrics-py.conf",
        "usr/share/man/man8/filter-metrics.8.gz",
    },
    "opensmtpd-filter-rdns-py": {
        f"{LIBEXEC}/filter-fcrdns",
        f"{LIBEXEC}/filter-rdns",
        "usr/share/man/man8/filter-fcrdns.8.gz",
        "usr/share/man/man8/filter-rdns.8.gz",
    },
    **{
        f"opensmtpd-table-{name}-py": {
            f"{LIBEXEC}/table-{name}",
            f"usr/share/man/man5/table-{name}.5.gz",
        }
        for name in (
            *("dovecot", "flat", "ldap", "mysql", "passwd", "postgres", "record", "redis"),
            *("socketmap", "sqlite"),
        )
    },
    "opensmtpd-filter-record-py": {
        f"{LIBEXEC}/filter-record",
        "usr/share/man/man8/filter-record.8.gz",
    },
    "opensmtpd-filter-milter-py": {
        f"{LIBEXEC}/filter-milter",
        "usr/share/man/man8/filter-milter.8.gz",
    },
    "opensmtpd-filter-rspamd-py": {
        f"{LIBEXEC}/filter-rspamd",
        "usr/share/man/man8/filter-rspamd.8.gz",
    },
    "opensmtpd-plugins": {
        "usr/bin/opensmtpd-plugins",
        "usr/share/bash-completion/completions/opensmtpd-plugins",
        "usr/share/fish/vendor_completions.d/opensmtpd-plugins.fish",
        "usr/share/man/man8/opensmtpd-plugins.8.gz",
        "usr/share/zsh/vendor-completions/_opensmtpd-plugins",
    },
    "python3-opensmtpd": {
        *(f"{PYTHON}/opensmtpd_plugins-0.1.0.dist-info/{name}" for name in ("METADATA", "WHEEL")),
        "usr/share/man/man3/opensmtpd.3.gz",
        "usr/share/man/man7/smtpd-plugins.7.gz",
    },
}
"""What is in each package, but for its documents, and the modules, which the library has."""
OVERRIDDEN = {
    f"opensmtpd-filter-{name}-py"
    for name in (
        *("archive", "auth", "dkimsign", "dnsbl", "greylist", "headers", "limit", "metrics"),
        *("milter", "rdns", "record", "rspamd", "senderscore"),
    )
}
"""Have a page in section 8, of a program that lintian does not look for where smtpd does."""
INSTALLERS = (".dist-info/INSTALLER", ".dist-info/RECORD")
"""Debian 13's pybuild leaves the first, Debian 12's the second."""
COMPLETIONS = {
    "bash-completion/completions/opensmtpd-plugins": "_opensmtpd_plugins_completion_setup;",
    "fish/vendor_completions.d/opensmtpd-plugins.fish": "function _opensmtpd_plugins_completion;",
    "zsh/vendor-completions/_opensmtpd-plugins": "#compdef opensmtpd-plugins",
}
"""A line of each script that no other shell would have."""


def dpkg_deb(option: str, package: Path) -> str:
    """Ask dpkg-deb about a package."""
    asked = ["dpkg-deb", option, str(package)]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module", params=sorted(OWN))
def package(request: pytest.FixtureRequest, debs: Path) -> Path:
    (path,) = debs.glob(f"{request.param}_*_all.deb")
    return path


def name_of(package: Path) -> str:
    return package.name.partition("_")[0]


def listing(package: Path) -> list[list[str]]:
    """Return mode, owner and path of what is in a package and no folder."""
    lines = [line.split() for line in dpkg_deb("--contents", package).splitlines()]
    return [[line[0], line[1], line[5][2:]] for line in lines if not line[5].endswith("/")]


def modules() -> set[str]:
    """Return where the modules of the tree stand in a package."""
    return {
        f"{PYTHON}/{path.relative_to(TREE / folder)}"
        for folder in ("src", "filters", "tables")
        for path in (TREE / folder).rglob("*")
        if path.suffix in (".py", ".typed")
    }


def examples() -> set[str]:
    """Return the names of the programs in ``examples``, and of the page about them."""
    return {path.name for path in (TREE / "examples").glob("*.py")} | {"README.md"}


def test_what_is_in_it(package: Path) -> None:
    name = name_of(package)
    documents = {"changelog.Debian.gz", "changelog.gz", "copyright"}
    wanted = set(OWN[name])
    if name == "python3-opensmtpd":
        wanted |= modules()
        wanted |= {f"{EXAMPLES}/{name}" for name in examples()}
    if name != "python3-opensmtpd":
        documents.add("README.Debian")
    wanted |= {f"usr/share/doc/{name}/{file}" for file in documents}
    if name in OVERRIDDEN:
        wanted.add(f"usr/share/lintian/overrides/{name}")
    found = {path for _, _, path in listing(package)}
    assert {path for path in found if not path.endswith(INSTALLERS)} == wanted


def test_owners_and_modes(package: Path) -> None:
    folders = (f"{LIBEXEC}/", "usr/bin/", f"{EXAMPLES}/")
    for mode, owner, path in listing(package):
        program = path.startswith(folders) and not path.endswith(".md")
        assert owner == "root/root"
        assert mode == (
            "lrwxrwxrwx" if path.endswith("/filter-fcrdns.8.gz")
            else "-rwxr-xr-x" if program
            else "-rw-r--r--"
        ), path  # fmt: skip


def test_programs_are_started_by_the_systems_python(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    for folder in (LIBEXEC, "usr/bin"):
        for program in (tmp_path / folder).glob("*"):
            # dh_python3 of Debian 13 writes a blank into those of usr/bin, which execve(2) skips.
            first, _, _ = program.read_text().partition("\n")
            assert first in ("#!/usr/bin/python3", "#! /usr/bin/python3")


def test_examples_are_as_they_stand_in_the_tree(debs: Path, tmp_path: Path) -> None:
    (package,) = debs.glob("python3-opensmtpd_*_all.deb")
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    for name in examples():
        packed, ours = tmp_path / EXAMPLES / name, TREE / "examples" / name
        assert packed.read_bytes() == ours.read_bytes(), name


def test_completions_are_scripts_of_their_shells(debs: Path, tmp_path: Path) -> None:
    (package,) = debs.glob("opensmtpd-plugins_*_all.deb")
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    for path, words in COMPLETIONS.items():
        text = (tmp_path / "usr/share" / path).read_text()
        assert words in text.splitlines(), path


def test_the_library_names_no_program_of_another_package(debs: Path, tmp_path: Path) -> None:
    (package,) = debs.glob("python3-opensmtpd_*_all.deb")
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    (info,) = (tmp_path / PYTHON).glob("*.dist-info")
    there = [path for path in info.iterdir() if "filter-rdns =" in path.read_text()]
    assert there == []
    record = info / "RECORD"  # not on Debian 13
    assert not record.exists() or "../" not in record.read_text()


def scripts(package: Path, folder: Path) -> Path:
    """Return a folder with the scripts that dpkg runs."""
    subprocess.run(["dpkg-deb", "--control", package, folder / "control"], check=True)
    return folder / "control"


def test_which_scripts_dpkg_runs(package: Path, tmp_path: Path) -> None:
    there = {path.name for path in scripts(package, tmp_path).iterdir()}
    name = name_of(package)
    wanted = set() if name == "opensmtpd-plugins" else {"postinst", "prerm"}
    more = {"postrm"} if name in (DKIMSIGN, ARCHIVE, AUTH, GREYLIST, LIMIT, METRICS) else set()
    assert there == {"control", "md5sums"} | wanted | more


NAMED = {
    "filter-auth": 'filter "x" proc-exec "filter-auth -A mx.example" user _auth',
    "filter-dkimsign": 'filter "x" proc-exec "filter-dkimsign -d a.example" user _dkimsign',
    "filter-dnsbl": "filter lists proc-exec filter-dnsbl",
    "filter-fcrdns": 'proc x "/usr/libexec/opensmtpd/filter-fcrdns"',
    "filter-greylist": 'filter "x" proc-exec "filter-greylist -passtime 60" user _greylist',
    "filter-archive": 'filter "x" proc-exec "filter-archive /a" user _archive',
    "filter-headers": 'filter "x" proc-exec "filter-headers /a"',
    "filter-limit": 'filter "x" proc-exec "filter-limit /a" user _limit',
    "filter-senderscore": 'filter "x" proc-exec "filter-senderscore -junkBelow 70"',
    "filter-metrics": 'filter "x" proc-exec "filter-metrics --file /a" user _metrics',
    "filter-milter": 'filter "x" proc-exec "filter-milter inet:8891@localhost"',
    "filter-rdns": 'filter "x" proc-exec "filter-rdns"',
    "filter-record": 'filter "x" proc-exec "filter-record /capture -- filter-x"',
    "filter-rspamd": 'filter "rspamd" proc-exec "filter-rspamd -url http://[::1]:11333"',
    "table-dovecot": "table users dovecot:/run/dovecot/auth-smtpd",
    "table-flat": "table aliases flat:/etc/aliases",
    "table-ldap": "table users ldap:/etc/mail/ldap.conf",
    "table-mysql": "table users mysql:/etc/mail/mysql.conf",
    "table-passwd": 'table "users" "passwd:/etc/mail/passwd"',
    "table-postgres": 'table users "postgres:/etc/mail/postgres.conf"',
    "table-record": "table aliases record:/etc/mail/record.conf",
    "table-redis": "table users redis:/etc/mail/redis.conf",
    "table-socketmap": "table aliases socketmap:/run/maps.sock",
    "table-sqlite": "\ttable a sqlite:/etc/mail/a.conf",
}
"""Programs, and a line of smtpd.conf each that has smtpd run it."""
RECORDED = (
    'filter "x" proc-exec "filter-record /capture -- filter-rdns"',
    'filter "x" proc-exec "filter-record /capture -- \\\n    filter-rdns --verify"',
)
"""The same, with a recorder in front."""
OTHERS = """\
# filter "x" proc-exec "filter-dkimsign filter-dnsbl filter-fcrdns filter-rdns"
#table a sqlite:/x
filter "y" proc-exec "filter-dkimsign2 x"
filter "z" proc-exec "my-filter-rdns"
table flat file:/etc/mail/passwd
table sqlite { "passwd", "flat" }
"""
"""Lines that run none of them."""


@pytest.mark.parametrize("program", NAMED)
def test_who_removes_or_upgrades_a_program_that_smtpd_runs_is_told(
    program: str, debs: Path, tmp_path: Path
) -> None:
    package = "rdns" if program == "filter-fcrdns" else program.partition("-")[2]
    (deb,) = debs.glob(f"opensmtpd-{program.partition('-')[0]}-{package}-py_*_all.deb")
    control, conf = scripts(deb, tmp_path), tmp_path / "smtpd.conf"

    def said(script: str, *arguments: str) -> str:
        text = (control / script).read_text().replace("/etc/", f"{tmp_path}/")
        text = text.replace("/var/", f"{tmp_path}/var/")
        text = "no_users() { :; }\n" + text.replace("systemd-sysusers", "no_users")
        command = ["sh", "-c", text, script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stderr.replace(f"{tmp_path}/", "/etc/")

    names = ("archive", "auth", "greylist", "limit", "metrics", "metrics-out")
    folders = [f"var/lib/opensmtpd-plugins/{each}" for each in names]
    for state in ("mail/dkim", *folders):
        (tmp_path / state).mkdir(parents=True)
    assert said("prerm", "remove") == said("postinst", "configure", "0.1") == ""
    conf.write_text(OTHERS)
    assert said("prerm", "remove") == said("postinst", "configure", "0.1") == ""
    conf.write_text(f"{OTHERS}{NAMED[program]}\n")
    assert said("prerm", "remove").startswith(
        f"/etc/smtpd.conf names {program}: smtpd will not start again without it.\n"
    )
    for line in RECORDED * (program == "filter-rdns"):
        conf.write_text(f"{OTHERS}{line}\n")
        assert said("prerm", "remove").startswith(f"/etc/smtpd.conf names {program}: ")
    assert said("prerm", "remove", "in-favour", "another", "1") == ""
    assert said("prerm", "upgrade", "0.2") == said("postinst", "configure", "") == ""
    assert said("postinst", "configure", "0.1") == (
        f"smtpd runs {program} as it was before, until it is restarted:"
        " systemctl restart opensmtpd\n"
    )


def test_lintian_has_no_word(debs: Path) -> None:
    if not shutil.which("lintian"):
        assert not os.environ.get("CI")
        pytest.skip("no lintian")
    (changes,) = debs.glob("*.changes")
    done = subprocess.run(
        ["lintian", "--allow-root", "--profile", "debian", "--fail-on", "warning",
         "--suppress-tags", "newer-standards-version", changes],  # Debian 12's is of 4.6.2
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("", 0)
