"""Each extra is enough for its programs, and who lacks one is told so in one line."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import entry_points, packages_distributions, requires
from importlib.util import find_spec
from pathlib import Path

import pytest

from opensmtpd.options import DISTRIBUTION
from opensmtpd_cli.commands.install.command import NEEDS
from unit.support.processes import CHECKED

HOOK = """
import sys
from importlib import metadata

class Forbidden:
    # Says "not there" to all that is neither Python's, nor ours, nor allowed.
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top.startswith("opensmtpd") or top in allowed:
            return None
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)

installed = metadata.version

def version(name):
    # dnspython imports what has a version.
    if name.startswith("opensmtpd") or name.replace("-", "_") in allowed:
        return installed(name)
    raise metadata.PackageNotFoundError(name)

metadata.version = version
allowed = sys.argv.pop(1).split(",")
sys.meta_path.insert(0, Forbidden())
"""
BEHIND = (
    f"hook = {HOOK!r}"
    + """
from opensmtpd import early

hook = f"import sys; sys.argv.insert(1, {','.join(allowed)!r}); exec({hook!r})\\n"
early._PROGRAM = hook.replace("{", "{{").replace("}", "}}") + early._PROGRAM
"""
)
"""Has it hold for the processes behind a program, too, which import for themselves."""
SCRIPTS = {each.name: each for each in entry_points(group="console_scripts")}
RECORD = "table flat:{0}/list\ncapture {0}/capture\n"
DATABASE = "dbpath {0}/db\nquery_alias SELECT v FROM t WHERE k = ?\n"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def modules(extra: str) -> set[str]:
    """Return the modules that the library and an extra bring, with what they need themselves."""
    wanted = [(DISTRIBUTION, extra), (DISTRIBUTION, "")]
    brought: set[str] = set()
    while wanted:
        name, part = wanted.pop()
        for line in requires(name) or ():
            requirement, _, marker = line.partition(";")
            named = re.match(r"([\w.-]+)(?:\[([\w-]+)\])?", requirement)
            assert named
            ours = f"extra == '{part}'" in marker.replace('"', "'")
            if not (ours if part else "extra" not in marker):
                continue
            if normal(named[1]) in INSTALLED - brought:  # not there: for another Python
                brought.add(normal(named[1]))
                wanted += [(named[1], ""), *([(named[1], named[2])] if named[2] else [])]
    return {module for module, names in MODULES.items() if brought & set(map(normal, names))}


MODULES = packages_distributions()
INSTALLED = {normal(name) for names in MODULES.values() for name in names}


def limited(extra: str, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code with Python, our own modules, and those of an extra."""
    allowed = ",".join(modules(extra))
    return subprocess.run(
        [sys.executable, "-c", HOOK + BEHIND + code, allowed, *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def start(program: str, extra: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start a program so."""
    script = SCRIPTS[program]
    path = str(Path(sys.executable).with_name(program))
    code = f"sys.argv[0] = {path!r}; from {script.module} import {script.attr} as main; main()"
    return limited(extra, code, *arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a key, and what tables read."""
    key = ["openssl", "genpkey", "-algorithm", "rsa", "-out", f"{tmp_path}/key"]
    subprocess.run(key, check=True, timeout=60)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "list").write_text("a\tb\n")
    (tmp_path / "headers").write_text("remove X-Internal-*\n")
    (tmp_path / "limits").write_text("user messages 200/1h\n")
    (tmp_path / "passwd").write_text("a:x:1:1::/:/\n")
    (tmp_path / "record").write_text(RECORD.format(tmp_path))
    (tmp_path / "sqlite").write_text(DATABASE.format(tmp_path))
    for name, text in SERVERS.items():
        (tmp_path / name).write_text(text)
    with closing(sqlite3.connect(tmp_path / "db")) as db:
        db.execute("CREATE TABLE t (k, v)")
    return tmp_path


SERVERS = {
    "ldap": "url ldap://127.0.0.1:1\nbasedn dc=x\nalias_filter (a=%s)\nalias_attributes b\n",
    "mysql": "host 127.0.0.1\nport 1\nquery_alias SELECT v FROM t WHERE k = ?\n",
    "postgres": "conninfo host=127.0.0.1 port=1\nquery_alias SELECT v FROM t WHERE k = $1\n",
    "redis": "master 127.0.0.1\nmaster_port 1\nslave 127.0.0.1\nslave_port 1\n",
}
"""Configurations of tables on servers: nobody listens there."""

STARTS = [
    ("filter-auth", "auth", "mx.example.org --reports {0}/reports.db"),
    ("filter-dkimsign", "dkim", "-d example.com -s mail -k {0}/key"),
    ("filter-rdns", "", ""),
    ("filter-fcrdns", "", ""),
    ("filter-rdns", "dns", "--verify --dns-cache {0}/cache"),
    ("filter-dnsbl", "dns", "list.example.org"),
    ("filter-greylist", "dns", "--state {0}/state.db"),
    ("filter-archive", "", "{0}/Maildir"),
    ("filter-headers", "", "{0}/headers"),
    ("filter-limit", "", "--state {0}/state.db {0}/limits"),
    ("filter-senderscore", "dns", "-junkBelow 70"),
    ("filter-metrics", "", "--file {0}/metrics.prom"),
    ("filter-milter", "", "unix:{0}/none"),
    ("filter-record", "", "{0}/capture -- /bin/cat"),
    ("filter-rspamd", "", "-url http://127.0.0.1:1"),
    ("table-dovecot", "", "{0}/none"),
    ("table-flat", "", "{0}/list"),
    ("table-ldap", "ldap", "{0}/ldap"),
    ("table-mysql", "mysql", "{0}/mysql"),
    ("table-passwd", "", "{0}/passwd"),
    ("table-postgres", "postgres", "{0}/postgres"),
    ("table-record", "", "{0}/record"),
    ("table-redis", "", "{0}/redis"),
    ("table-socketmap", "", "{0}/none"),
    ("table-sqlite", "", "{0}/sqlite"),
]


AWAY = {
    "filter-milter": "No such file or directory",
    "filter-rspamd": "Connection refused",
    "table-dovecot": "No such file or directory",
    "table-ldap": "needs python-ldap|Can't contact LDAP server",
    "table-mysql": "Connection refused",
    "table-postgres": "Connection refused",
    "table-redis": "Connection refused",
    "table-socketmap": "No such file or directory",
}
"""Programs whose server is not here, and what each says of that: all else is in order then.

PyPI has no wheels of python-ldap, so that it need not be here either.
"""


@pytest.mark.parametrize(("program", "extra", "line"), STARTS)
def test_the_extra_is_enough(folder: Path, program: str, extra: str, line: str) -> None:
    said = start(program, extra, "--check", *line.format(folder).split())
    if program in AWAY:
        assert (said.returncode, said.stdout) == (1, "")
        assert re.search(AWAY[program], said.stderr), said.stderr
        return
    assert (said.returncode, said.stdout) == (0, f"{program}: {CHECKED}\n"), said.stderr


@pytest.mark.parametrize(("program", "extra", "line"), [each for each in STARTS if each[1]])
def test_without_it_one_line_says_what_to_do(
    folder: Path, program: str, extra: str, line: str
) -> None:
    said = start(program, "", "--check", *line.format(folder).split())
    assert (said.returncode, said.stdout) == (1, "")
    assert re.fullmatch(
        rf"{program}: .* needs .*; pip install 'opensmtpd-plugins\[{extra}\]'\n", said.stderr
    )


def test_all_programs_are_started() -> None:
    ours = {name for name, each in SCRIPTS.items() if each.module.startswith("opensmtpd")}
    assert {program for program, _, _ in STARTS} | {"opensmtpd-plugins"} == ours


def test_install_knows_who_does_not_start_without() -> None:
    bare = {program for program, extra, _ in STARTS if not extra}
    needed = {program: extra for program, extra, _ in STARTS if program not in bare}
    assert {program: extra for program, (_, extra) in NEEDS.items()} == needed
    here = [each for each in NEEDS.values() if each[0] != "ldap" or find_spec("ldap")]
    assert all(module in modules(extra) for module, extra in here)


@pytest.mark.parametrize("extra", ["dkim", "dns", "tables"])
def test_the_command_without_its_extra(extra: str) -> None:
    said = start("opensmtpd-plugins", extra, "install")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        "opensmtpd-plugins: this command needs click; pip install 'opensmtpd-plugins[operator]',"
        " or with pipx: pipx inject --global opensmtpd-plugins click rich\n"
    )


def test_the_command_with_its_extra(folder: Path) -> None:
    said = start("opensmtpd-plugins", "operator", "--help")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("Usage: opensmtpd-plugins [OPTIONS] COMMAND")


HASHES = {
    "argon2": "$argon2id$v=19$m=8,t=1,p=1"
    "$OLOuSTx0VRc/rrSqCMzwvA$BrFuM1h121Ve777ccu70HJE3Ptd6C1RcoJl85GjEz0E",
    "bcrypt": "$2b$04$HiuNAOvu0eDFUOzcSYpJXO23DtvoH7hksbZUNUdY1vJzLPD0x/8iW",
    "scrypt": "$scrypt$ln=1,r=8,p=1"
    "$y3lPKYXwvtc651yrtVZqTQ$nyq91NwdOzgX+Tt44qc6WbPdl6QjXwHb2tfKXz4uxYg",
}
"""Of the password 'secret', each made by the library of another kind."""


@pytest.mark.parametrize("kind", HASHES)
def test_what_the_extra_tables_brings(kind: str) -> None:
    hash = HASHES[kind]
    code = "from opensmtpd.table.passwords import verify; print(verify(sys.argv[1], sys.argv[2]))"
    assert limited("tables", code, "secret", hash).stdout == "True\n"
    assert limited("tables", code, "wrong", hash).stdout == "False\n"
    if kind == "argon2":  # of the others, crypt(3) may know one, and OpenSSL knows one
        assert "install argon2-cffi" in limited("", code, "secret", hash).stderr.splitlines()[-1]
    if kind == "scrypt":
        assert limited("", code, "secret", hash).stdout == "True\n"
