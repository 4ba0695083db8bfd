"""packaging/debian: what each package gets, and what the words of its files promise."""

import os
import re
import shutil
import subprocess
import tomllib
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from lab.root import packages
from lab.root.debs import to_install
from lab.root.plugin import TREE

DEBIAN = TREE / "packaging/debian"
PYPROJECT = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
MODULES = "usr/lib/python3*/dist-packages/"
LIBRARY = "python3-opensmtpd"
TABLES = ("flat", "passwd", "sqlite")
"""Those that may check passwords, and need nothing else."""
LIBRARIES = {
    "ldap": "python3-ldap (>= 3.4)",
    "mysql": "python3-pymysql (>= 1.0.2)",
    "postgres": "python3-psycopg (>= 3.1)",
}
"""Tables that have a library speak to a server."""
OLD_EXTRAS = "opensmtpd-extras (<< 6.7.1+ds0)"
"""Has files of the same names; from that version on it is an empty package."""
DEBIAN_NAMES = {
    "argon2-cffi": "python3-argon2 (>= 21.1)",
    "libpass": "python3-passlib",  # of which libpass is the continuation
    "psycopg[binary]": "python3-psycopg (>= 3.1)",
    "PyMySQL": "python3-pymysql (>= 1.0.2)",
    "python-ldap": "python3-ldap (>= 3.4)",
}
DEBIAN_TESTS = {"dkimpy": "dkim", "pyspf": "spf", "PyYAML": "yaml"}
NOT_IN_DEBIAN = {"publicsuffixlist"}
NOT_IN_A_BUILD = {
    *("python-ldap", "types-PyMySQL"),
    *("hatchling", "mypy", "ruff", "twine"),
    *("furo", "matplotlib", "myst-parser", "sphinx"),
} | NOT_IN_DEBIAN
"""The build itself wants an older hatchling, and the others check the tree or make the site."""


def stanzas() -> dict[str, dict[str, str]]:
    """Return the fields of debian/control by package; the source's by ""."""
    found = {}
    for text in (DEBIAN / "control").read_text().split("\n\n"):
        fields = dict(re.findall(r"(?m)^([\w-]+): ?((?:.*)(?:\n .*)*)", text))
        found[fields.get("Package", "")] = fields
    return found


def named(kind: str) -> list[tuple[str, str]]:
    """Return package and line of each line in the files of a kind: "install"."""
    return [
        (path.name.removesuffix(f".{kind}"), line)
        for path in sorted(DEBIAN.glob(f"*.{kind}"))
        for line in path.read_text().splitlines()
    ]


def test_the_version_is_that_of_the_project() -> None:
    first = (DEBIAN / "changelog").read_text().splitlines()[0]
    assert first.split()[:2] == ["opensmtpd-plugins", f"({PYPROJECT['version']}-1~0)"]


def build_depends() -> list[str]:
    return [field.strip() for field in stanzas()[""]["Build-Depends"].split(",")]


def test_what_it_is_built_with_is_installed_where_it_is_built() -> None:
    """dpkg does not check it itself (lab.root.debs)."""
    fields = [field for field in build_depends() if "<!nocheck>" not in field]
    wanted = {field.split()[0] for field in fields} - {"dh-sequence-installsysusers"}  # debhelper's
    names = {"debhelper-compat": "debhelper", "dh-sequence-python3": "dh-python"}
    wanted = {names.get(name, name) for name in wanted} | {"dpkg-dev"}  # which builds
    assert wanted == set(packages.BUILDING)


def test_a_build_installs_what_the_packages_are_built_with_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "installed", lambda _: False)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert packages.missing(building=True) == list(packages.BUILDING)
    more = set(packages.missing(building=False)) - set(packages.BUILDING)
    assert more >= {"debootstrap", "lintian", "zsh"}


def test_make_deb_asks_for_what_it_builds_with_and_makes_no_venv() -> None:
    # Without what a make that runs the tests says to those that it starts.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "deb", "PYTHON=python3"],
        cwd=TREE, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "python3 tests/lab/root/packages.py building",
        "PYTHONPATH=tests python3 -B -m lab.root.debs dist",
    ]


def test_a_build_ends_with_commands_that_install_each_plugin() -> None:
    names = [name for name in stanzas() if name]
    debs = [Path(f"dist/{name}_1_all.deb") for name in sorted(names)]
    _, *commands = to_install(debs).splitlines()
    base = "    apt install ./dist/python3-opensmtpd_1_all.deb ./dist/opensmtpd-plugins_1_all.deb"
    assert commands == [
        f"{base} ./dist/{name}_1_all.deb" for name in sorted(names) if name.endswith("-py")
    ]


def test_each_program_is_in_one_package() -> None:
    programs = [line.split()[0] for _, line in named("install") if line.startswith("usr/bin/")]
    assert sorted(programs) == sorted(f"usr/bin/{name}" for name in PYPROJECT["scripts"])


def test_smtpds_programs_are_where_smtpd_looks_and_the_operators_on_the_path() -> None:
    places = {
        line.split()[0].removeprefix("usr/bin/"): line.split()[1:]
        for _, line in named("install")
        if line.startswith("usr/bin/")
    }
    assert places.pop("opensmtpd-plugins") == []
    assert set(map(tuple, places.values())) == {("usr/libexec/opensmtpd",)}


def test_the_library_has_all_modules_and_the_others_have_none() -> None:
    lines = [(package, line) for package, line in named("install") if line.startswith(MODULES)]
    assert lines == [(LIBRARY, f"{MODULES}opensmtpd*")]


def test_it_says_where_it_comes_from_in_one_way() -> None:
    home = stanzas()[""]["Homepage"]
    assert f"\nSource: {home}\n" in (DEBIAN / "copyright").read_text()
    port = (TREE / "packaging/openbsd/mail/opensmtpd-plugins/Makefile").read_text()
    assert re.findall(r"(?m)^HOMEPAGE =\s*(\S+)$", port) == [home]
    assert "https://pypi.debian.net/opensmtpd-plugins/" in (DEBIAN / "watch").read_text()


def test_what_the_tests_need_is_wanted_where_they_run_in_a_build() -> None:
    checked = {field for field in build_depends() if "<!nocheck>" in field}
    wanted = set()
    extras = PYPROJECT["optional-dependencies"]
    for requirement in chain(*extras.values()):
        name, _, version = requirement.partition(">=")
        known = DEBIAN_NAMES.get(name, f"python3-{DEBIAN_TESTS.get(name, name)} (>= {version})")
        if name not in NOT_IN_A_BUILD and known not in build_depends():
            wanted.add(f"{known} <!nocheck>")
    assert checked == wanted | {"openssl <!nocheck>"}


def test_each_page_is_in_one_package_and_that_of_its_program() -> None:
    pages = Counter(Path(line).name for _, line in named("manpages"))
    links = [line.split() for _, line in named("links")]
    assert links == [[f"usr/share/man/man8/filter-{n}.8.gz" for n in ("rdns", "fcrdns")]]
    pages += Counter(["filter-fcrdns.8"])
    assert pages == Counter(path.name for path in (TREE / "packaging/man").iterdir())
    for package, line in named("manpages"):
        page = Path(line).name
        if page.startswith(("filter-", "table-")):
            assert package == f"opensmtpd-{page[:-2]}-py"


def test_only_packages_with_the_same_file_are_replaced() -> None:
    replaced = {
        name: fields["Conflicts"] for name, fields in stanzas().items() if "Conflicts" in fields
    }
    assert replaced == {
        f"opensmtpd-{name}-py": f"opensmtpd-{name}"
        for name in (
            *("filter-dkimsign", "filter-rspamd", "filter-senderscore"),
            *("table-ldap", "table-mysql", "table-passwd", "table-postgres", "table-redis"),
            *("table-socketmap", "table-sqlite"),
        )
    }
    for name, what in replaced.items():
        fields = stanzas()[name]
        assert fields["Provides"] == what
        # Up to Debian 12 the tables, not the filters, were all in one package.
        before = [OLD_EXTRAS] if "-table-" in name else []
        assert fields["Replaces"].split(", ") == [*before, what]
        assert fields.get("Breaks", "") == "".join(before)


def needs(package: str, field: str) -> set[str]:
    """Return what a field of a package names, but our own and what debhelper puts there."""
    names = re.split(r",\s*", stanzas()[package].get(field, ""))
    return {name for name in names if name and "opensmtpd-" not in name and "${" not in name}


DNS = {"python3-aiodns (>= 3.2)", "python3-dnspython (>= 2.4)"}


def test_what_each_package_needs() -> None:
    python = "python3:any"  # where ${python3:Depends} finds no program, in smtpd's own directory
    assert {name: needs(name, "Depends") for name in stanzas() if name} == {
        LIBRARY: {"python3-msgpack (>= 1.0)"},
        "opensmtpd-plugins": {"python3-click (>= 8.1)", "python3-rich (>= 13)"},
        "opensmtpd-filter-auth-py": {
            python,
            "python3-aiodns (>= 3.2)",
            "python3-cryptography (>= 38)",
            "python3-dnspython (>= 2.4)",
        },
        "opensmtpd-filter-dkimsign-py": {python, "python3-cryptography (>= 38)"},
        "opensmtpd-filter-dnsbl-py": {python, *DNS},
        "opensmtpd-filter-archive-py": {python},
        "opensmtpd-filter-greylist-py": {python, *DNS},
        "opensmtpd-filter-headers-py": {python},
        "opensmtpd-filter-limit-py": {python},
        "opensmtpd-filter-senderscore-py": {python, *DNS},
        "opensmtpd-filter-metrics-py": {python},
        "opensmtpd-filter-milter-py": {python},
        "opensmtpd-filter-rdns-py": {python},
        "opensmtpd-filter-record-py": {python},
        "opensmtpd-filter-rspamd-py": {python},
        **{
            f"opensmtpd-table-{name}-py": {python, "opensmtpd (>= 7.6.0)"}
            for name in (*TABLES, "dovecot", "record", "redis", "socketmap")
        },
        **{
            f"opensmtpd-table-{name}-py": {python, "opensmtpd (>= 7.6.0)", library}
            for name, library in LIBRARIES.items()
        },
    }


def test_what_each_package_is_better_with() -> None:
    hashes = {"python3-argon2 (>= 21.1)", "python3-bcrypt (>= 3.2)", "python3-passlib"}
    assert {name: needs(name, "Recommends") for name in stanzas() if name} == {
        LIBRARY: {"libseccomp2"},
        "opensmtpd-plugins": {"patch", "python3-cryptography (>= 38)", *DNS},
        "opensmtpd-filter-auth-py": set(),
        "opensmtpd-filter-dkimsign-py": set(),
        "opensmtpd-filter-dnsbl-py": set(),
        "opensmtpd-filter-archive-py": set(),
        "opensmtpd-filter-greylist-py": set(),
        "opensmtpd-filter-headers-py": set(),
        "opensmtpd-filter-limit-py": set(),
        "opensmtpd-filter-senderscore-py": set(),
        "opensmtpd-filter-metrics-py": set(),
        "opensmtpd-filter-milter-py": set(),
        "opensmtpd-filter-rdns-py": DNS,
        "opensmtpd-filter-record-py": set(),
        "opensmtpd-filter-rspamd-py": {"rspamd"},
        **{
            f"opensmtpd-table-{name}-py": set[str]()
            for name in ("dovecot", "ldap", "record", "redis", "socketmap")
        },
        **{f"opensmtpd-table-{name}-py": hashes for name in (*TABLES, "mysql", "postgres")},
    }


def test_what_an_extra_needs_some_package_wants_in_the_same_version() -> None:
    wanted = set[str]().union(
        *(needs(name, field) for name in stanzas() if name for field in ("Depends", "Recommends"))
    )
    extras = PYPROJECT["optional-dependencies"]
    for requirement in chain(*(extras[name] for name in extras.keys() - {"dev", "docs"})):
        name, _, version = requirement.partition(">=")
        known = DEBIAN_NAMES.get(name, f"python3-{name} (>= {version})")
        assert known in wanted or name in NOT_IN_DEBIAN


def test_the_way_to_a_signature_is_told() -> None:
    text = (DEBIAN / "opensmtpd-filter-dkimsign-py.README.Debian").read_text()
    steps = ("opensmtpd-plugins genkey --domain", "TXT record", 'filter "dkimsign" proc-exec')
    places = [text.index(step) for step in steps]
    assert places == sorted(places)


def test_each_plugin_says_how_it_is_used_on_debian() -> None:
    told = {path.name for path in DEBIAN.glob("*.README.Debian")}
    assert told == {f"{name}.README.Debian" for name in stanzas() if name not in ("", LIBRARY)}


def test_the_licence_is_that_of_the_project() -> None:
    stated = (DEBIAN / "copyright").read_text().rpartition("License: ISC\n")[2]
    terms = (TREE / "LICENSE").read_text().partition("authors\n")[2]
    assert stated.replace("\n .\n", " ").split() == terms.split()


@pytest.mark.parametrize(
    ("lay_out", "left"),
    [
        ("mkdir -p mail/dkim", set()),
        ("mkdir -p mail/dkim; touch mail/aliases", {"mail", "mail/aliases"}),
        ("mkdir -p mail/dkim; touch mail/dkim/a.key", {"mail", "mail/dkim", "mail/dkim/a.key"}),
        ("mkdir -p mail keys; ln -s ../keys mail/dkim", {"keys", "mail", "mail/dkim"}),
        ("mkdir -p mail; ln -s ../gone mail/dkim", {"mail", "mail/dkim"}),
        ("true", set()),
    ],
)
def test_a_purge_takes_the_folder_of_keys_only_where_it_is_empty(
    lay_out: str, left: set[str], tmp_path: Path
) -> None:
    subprocess.run(["sh", "-ec", lay_out], cwd=tmp_path, check=True)
    script = (DEBIAN / "opensmtpd-filter-dkimsign-py.postrm").read_text()
    script = script.replace("/etc/", f"{tmp_path}/")
    for action in ("remove", "purge", "purge"):
        before = set(tmp_path.rglob("*"))
        subprocess.run(["sh", "-c", script, "postrm", action], check=True)
        if action == "remove":
            assert set(tmp_path.rglob("*")) == before
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == left
