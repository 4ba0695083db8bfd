"""What the packages' READMEs tell the administrator to do: it is done here, as far as it can be.

What only OpenBSD has stands in as a script that does nothing; doas just runs what it is given.
"""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from openbsd.port import TREE, VERSION, Package, fake, missing, packages

pytestmark = pytest.mark.skipif(missing() != "", reason=missing())

READMES = (
    *("-archive", "-auth", "-dkimsign", "-dnsbl", "-greylist", "-headers", "-limit", "-metrics"),
    *("-milter", "-rdns", "-rspamd", "-senderscore", "-filterrecord"),
    *("-flat", "-passwd", "-tablerecord", "-sqlite"),
    *("-dovecot", "-ldap", "-mysql", "-postgres", "-redis", "-socketmap"),
)
AWAY = {
    "-dovecot": "No such file or directory",
    "-ldap": "needs python-ldap|Can't contact LDAP server",
    "-milter": "No such file or directory",
    "-mysql": "Can't connect|No such file or directory|Connection refused",
    "-postgres": "Connection refused|Network is unreachable",
    "-redis": "Connection refused|Network is unreachable",
    "-rspamd": "Connection refused|Network is unreachable",
    "-socketmap": "No such file or directory",
}
"""Programs whose server is not here, and what each says of that: all else is in order then."""
STATE = ("archive", "auth", "greylist", "limit", "metrics-out")
"""Folders that packages make below /var/db/opensmtpd-plugins."""
ABSENT = ("host", "pkg_add", "rcctl", "smtpctl", "smtpd")
"""What is not tried: it is OpenBSD's, or asks the network."""
SAID = {
    "doas pkg_add py3-passlib",
    "doas rcctl restart smtpd",
    "doas smtpctl update table aliases",
    "doas smtpctl update table users",
    "doas smtpd -n",
    "host -t txt mail._domainkey.example.com",
    "host 2.0.0.127.zen.spamhaus.org",
}
"""The same, word by word."""
SECRETS = {
    "-dkimsign": "mail/dkim/example.com.mail.key",
    "-passwd": "mail/passwd",
    "-sqlite": "mail/smtpd.db",
}
"""What nobody else may read afterwards, below /etc."""
SCRIPTS = {
    **dict.fromkeys(ABSENT, "exit 0"),
    # install(1) gives files to a group that need not be here.
    "doas": '[ "$1" = -u ] && shift 2; [ "$1 $2" = "install -o" ] && shift 5 && set -- install "$@"'
    '; exec "$@"',
    # As root it would give the key to a group that need not be here.
    "opensmtpd-plugins": f'[ "$1" = genkey ] || exec "$PROGRAM" "$@"; exec {sys.executable} -c \''
    "import os; os.geteuid = lambda: 1; from opensmtpd_cli.__main__ import main; main()'"
    ' "$@" --key "$ROOT/made.key"',
    "sqlite3": f"exec {sys.executable} -c 'import sqlite3, sys;"
    ' sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])\' "$@"',
}
SMTPD_CONF = (
    'table domains { example.com }\naction "x" maildir\nmatch for domain <domains> action "x"\n'
)
"""What there is to import."""


class Machine(NamedTuple):
    """A /usr/local with the port, an /etc/mail, a /var, and what stands in for OpenBSD."""

    local: Path
    etc: Path
    var: Path
    environment: dict[str, str]

    def readme(self, package: Package) -> str:
        """Return the README of a package with this machine's folders."""
        places = {
            "PREFIX": str(self.local),
            "SYSCONFDIR": str(self.etc),
            "LOCALSTATEDIR": str(self.var),
        }
        text = package._replace(values={**package.values, **places}).text("README")
        return text.replace("/root/", f"{self.etc}/root/")

    def configure(self, name: str, readme: str) -> None:
        """Write the configuration that a README shows, and a password beside it."""
        shown = re.findall(r"^    (\S.*\n)", readme, re.MULTILINE)
        (self.etc / f"mail/{name}.conf").write_text("".join(shown))
        (self.etc / f"mail/{name}.secret").write_text("a password\n")

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the shell."""
        return subprocess.run(
            ["/bin/sh", "-ec", script],
            env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake(tmp_path_factory.mktemp("openbsd")) / "usr/local"


@pytest.fixture
def machine(local: Path, tmp_path: Path) -> Machine:
    tools, etc, var = tmp_path / "tools", tmp_path / "etc", tmp_path / "var"
    state = [var / "db/opensmtpd-plugins" / name for name in STATE]
    for folder in (tools, etc / "mail/dkim", etc / "root", *state):
        folder.mkdir(parents=True)
    for name, text in SCRIPTS.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    (etc / "mail/aliases").write_text("postmaster: root\n")
    (etc / "mail/smtpd.conf").write_text(SMTPD_CONF)
    (etc / "mail/limits").write_text("user messages 200/1h\nuser recipients 1000/1d stop\n")
    (etc / "mail/headers").write_text("reject Subject /buy now/\nremove X-Internal-*\n")
    for example in (local / "share/examples/opensmtpd-table-sqlite-py").iterdir():
        text = example.read_text().replace("/etc/", f"{etc}/")
        (etc / "mail" / example.name).write_text(text)
    environment = {
        "PATH": f"{tools}:{local / 'libexec/smtpd'}:{os.environ['PATH']}",
        "PYTHONPATH": str(local / f"lib/python{VERSION}/site-packages"),
        "PROGRAM": str(local / "bin/opensmtpd-plugins"),
        "ROOT": str(tmp_path),
    }
    return Machine(local, etc, var, environment)


def commands(readme: str) -> list[str]:
    """Return the commands of a README: behind a prompt, with the lines that go on from there."""
    found = re.findall(r"^  \$ (.*\n(?:      .*\n)*)", readme, re.MULTILINE)
    return [command.rstrip() for command in found]


@pytest.mark.parametrize("name", READMES)
def test_what_it_says_works_in_the_order_in_which_it_stands(name: str, machine: Machine) -> None:
    readme = machine.readme(packages()[name])
    found = commands(readme)
    assert found
    done = machine.run("\n".join(found))
    assert done.returncode == 0, done.stderr
    assert {each for each in found if set(each.split()) & set(ABSENT)} <= SAID
    # Not every openssl makes a key that is its owner's alone, and no shell makes such a diff.
    exposed = [each for each in found if " genrsa " in each or "opensmtpd-plugins import" in each]
    assert all("umask 077 && " in each for each in exposed)
    if name in SECRETS:
        assert (machine.etc / SECRETS[name]).stat().st_mode & 0o007 == 0
    joined = readme.replace("\\\n", "")  # as smtpd reads it, inside quotes as well
    lines = [line for line in joined.splitlines() if re.match(r"  (filter|table) ", line)]
    assert lines
    for line in lines:
        # As smtpd starts them: a filter by the shell, a table with its file.
        run = re.search(r' proc-exec "([^"]*)"| ([a-z]+):(/\S+)$', line)
        assert run is not None, line
        command = run[1] or f"table-{run[2]} {run[3]}"
        if name in AWAY:
            machine.configure(name.removeprefix("-"), readme)
        alone = "unshare --net " if name in AWAY and os.geteuid() == 0 else ""
        done = machine.run(f"exec {alone}{command} -n")
        if name in AWAY:
            assert done.returncode == 1
            assert re.search(AWAY[name], done.stderr), done.stderr
            continue
        assert done.returncode == 0, done.stderr
        assert "configuration OK" in done.stdout + done.stderr
        assert "ignored" not in done.stderr


def test_the_record_in_the_dns_holds_the_key_that_signs(machine: Machine) -> None:
    script = commands(machine.readme(packages()["-dkimsign"]))
    record = next(index for index, command in enumerate(script) if "v=DKIM1" in command)
    printed = machine.run("\n".join([*script[1:record], f"({script[record]}) > {machine.etc}/txt"]))
    assert printed.returncode == 0, printed.stderr
    strings = (machine.etc / "txt").read_text().splitlines()
    assert all(line[0] == line[-1] == '"' and len(line) <= 257 for line in strings)
    key = load_pem_private_key((machine.etc / "mail/dkim/example.com.mail.key").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = "".join(line[1:-1] for line in strings)
    assert text == f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    assert key.key_size == 2048


@pytest.mark.parametrize("name", READMES)
def test_options_are_those_of_the_pages(name: str) -> None:
    pages = "".join(page.read_text() for page in (TREE / "packaging/man").iterdir())
    for option in re.findall(r"--[a-z][a-z-]+", packages()[name].text("README")):
        assert re.search(rf"Fl {option[1:]}(?![\w-])", pages), option


@pytest.mark.parametrize("name", READMES)
def test_a_readme_is_laid_out_as_those_of_other_ports(name: str) -> None:
    package = packages()[name]
    bar, title, below = package.text("README").splitlines()[:3]
    assert bar == below == "+" + "-" * 71
    assert title == f"| Running {package.stem} on OpenBSD"
    assert max(map(len, package.text("README").splitlines())) <= 78
