"""The port's Makefile, evaluated by bmake: what it makes, of what, and that mistakes are seen."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from openbsd.port import PORT, STUBS, TREE, make, missing, packages, variables

pytestmark = pytest.mark.skipif(missing() != "", reason=missing())

LIBRARY = "lang/python/3 mail/opensmtpd-plugins,-main>=0.1.0"
PACKAGES = {
    "py3-opensmtpd-0.1.0": "lang/python/3 net/py-msgpack",
    "opensmtpd-plugins-0.1.0": f"{LIBRARY} devel/py-click devel/py-rich net/py-aiodns"
    " net/py-dnspython security/py-bcrypt security/py-cryptography",
    "opensmtpd-filter-auth-py-0.1.0": f"{LIBRARY} net/py-aiodns net/py-dnspython"
    " security/py-cryptography",
    "opensmtpd-filter-dkimsign-py-0.1.0": f"{LIBRARY} security/py-cryptography",
    "opensmtpd-filter-dnsbl-py-0.1.0": f"{LIBRARY} net/py-aiodns net/py-dnspython",
    "opensmtpd-filter-archive-py-0.1.0": LIBRARY,
    "opensmtpd-filter-greylist-py-0.1.0": f"{LIBRARY} net/py-aiodns net/py-dnspython",
    "opensmtpd-filter-headers-py-0.1.0": LIBRARY,
    "opensmtpd-filter-limit-py-0.1.0": LIBRARY,
    "opensmtpd-filter-senderscore-py-0.1.0": f"{LIBRARY} net/py-aiodns net/py-dnspython",
    "opensmtpd-filter-metrics-py-0.1.0": LIBRARY,
    "opensmtpd-filter-milter-py-0.1.0": LIBRARY,
    "opensmtpd-filter-rdns-py-0.1.0": f"{LIBRARY} net/py-aiodns net/py-dnspython",
    "opensmtpd-filter-record-py-0.1.0": LIBRARY,
    "opensmtpd-filter-rspamd-py-0.1.0": LIBRARY,
    "opensmtpd-table-dovecot-py-0.1.0": LIBRARY,
    "opensmtpd-table-flat-py-0.1.0": f"{LIBRARY} security/py-bcrypt",
    "opensmtpd-table-ldap-py-0.1.0": f"{LIBRARY} databases/py-ldap",
    "opensmtpd-table-mysql-py-0.1.0": f"{LIBRARY} security/py-bcrypt databases/py-pymysql",
    "opensmtpd-table-passwd-py-0.1.0": f"{LIBRARY} security/py-bcrypt",
    "opensmtpd-table-postgres-py-0.1.0": f"{LIBRARY} security/py-bcrypt databases/py-psycopg3",
    "opensmtpd-table-record-py-0.1.0": LIBRARY,
    "opensmtpd-table-redis-py-0.1.0": LIBRARY,
    "opensmtpd-table-socketmap-py-0.1.0": LIBRARY,
    "opensmtpd-table-sqlite-py-0.1.0": f"{LIBRARY} security/py-bcrypt",
}
"""What is made, and what has to be there for it."""

ASSIGNED = re.compile(r"^([A-Z_][\w-]*)\s*[+?:]?=", re.MULTILINE)
USED = re.compile(r"\$\{([A-Z_][\w-]*)")


def wrong(port: Path) -> str:
    """What the stub, or who looks for names that nothing knows, has against a port."""
    text = (port / "Makefile").read_text()
    used = set(USED.findall(text))
    tree = set(re.findall(r"\w+", "".join(file.read_text() for file in STUBS.glob("*.mk"))))
    # A helper of the port's own is used in it, a variable of the ports tree stands in the stub.
    own = {name for name in ASSIGNED.findall(text) if name.partition("-")[0] not in tree}
    found = [f"nobody knows {name}." for name in sorted(own - used)]
    shown = make(port, "show", Path("/nowhere"), USED=" ".join(sorted(used)))
    errors = re.search(r"^ERRORS=(.*)$", shown, re.MULTILINE)
    assert errors is not None
    return " ".join([*errors[1].split(), *found])


def test_nothing_is_wrong_with_the_makefile() -> None:
    assert wrong(PORT) == ""


def test_each_package_has_a_name_and_depends_on_what_it_uses_and_no_more() -> None:
    made = {each.values["FULLPKGNAME"]: each.values["RUN_DEPENDS"] for each in packages().values()}
    assert made == PACKAGES


def test_it_is_built_with_hatchling_from_the_sdist_of_this_version() -> None:
    values = variables()
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    assert values["DISTFILES"] == f"opensmtpd_plugins-{project['version']}.tar.gz"
    assert values["MODPY_DISTV"] == project["version"]
    assert values["SITES"] == "https://pypi.io/packages/source/o/opensmtpd_plugins/"
    assert values["PERMIT_PACKAGE"] == "Yes"
    # The command prints its completions while the port is built.
    assert {"devel/py-click", "devel/py-hatchling"} <= set(values["BUILD_DEPENDS"].split())
    assert {"mail/py-dkimpy", "net/py-dnspython"} <= set(values["TEST_DEPENDS"].split())


@pytest.mark.parametrize("name", packages())
def test_comments_and_descriptions_are_as_pkg_info_shows_them(name: str) -> None:
    package = packages()[name]
    comment = package.values["COMMENT"]
    assert 0 < len(comment) <= 60
    assert not re.match(r"(a|an|the) |.*\.$", comment, re.IGNORECASE)
    lines = package.text("DESCR").splitlines()
    assert lines
    assert max(map(len, lines)) <= 80


TEXTS = [path for path in PORT.rglob("*") if path.is_file() and not path.name.startswith("PLIST")]
HARD_CODED = re.compile(r"/usr/local\b|/etc/|/var/(?!log\b|run\b|tmp\b)")
"""What has a variable."""


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_portcheck_would_have_no_word_against_a_file(path: Path) -> None:
    text = path.read_text()
    assert text.endswith("\n")
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80
    assert path.stat().st_mode & 0o111 == 0
    if path.parent.name != "files":
        assert not HARD_CODED.search(text)


MISTAKES = {
    "COMMENT-flat is missing.": ("COMMENT-flat", "COMMENT-fat"),
    "there is no port net/py-dns.": ("net/py-aiodns", "net/py-dns"),
    "there is no port mail/opensmtpd-plugins,-man.": ("},-main>", "},-man>"),
    "MODPY_DISTVERSION is used, and nobody sets it.": ("-${MODPY_DISTV}", "-${MODPY_DISTVERSION}"),
    "nobody knows PERMIT_PACKAGES.": ("PERMIT_PACKAGE ", "PERMIT_PACKAGES "),
    "PERMIT_PACKAGE is missing.": ("PERMIT_PACKAGE ", "PERMIT_PACKAGES "),
    "FLAVOR is a thing of the past.": ("CATEGORIES", "FLAVOR = python3\nCATEGORIES"),
    "mail is not among CATEGORIES.": ("CATEGORIES =\t\tmail", "CATEGORIES =\t\tdevel"),
    "MODPY_PYBUILD=setuptools is not what": ("hatchling", "setuptools"),
    "PLIST-lmdb is missing. DESCR-lmdb is missing.": ("record -flat", "record -flat -lmdb"),
    "unknown module lang/perl.": ("lang/python\n", "lang/python lang/perl\n"),
}


@pytest.mark.parametrize("complaint", MISTAKES)
def test_a_mistake_would_be_seen(complaint: str, tmp_path: Path) -> None:
    port = Path(shutil.copytree(PORT, tmp_path / "port"))
    right, mistaken = MISTAKES[complaint]
    text = (port / "Makefile").read_text()
    assert right in text
    (port / "Makefile").write_text(text.replace(right, mistaken))
    assert complaint in wrong(port)
