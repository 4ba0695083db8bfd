"""What each README.Debian shows: its commands are run, and what smtpd.conf starts is started."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lab.root.plugin import TREE
from opensmtpd_cli.smtpdconf.lexer import KEYWORDS

DEBIAN = TREE / "packaging/debian"
PAGES = TREE / "packaging/man"
PACKAGES = sorted(path.name.partition(".")[0] for path in DEBIAN.glob("*.README.Debian"))
SIGNER = "opensmtpd-filter-dkimsign-py"
SYSTEM = {
    "host -t TXT mail._domainkey.example.org",
    "ls -ld /etc/mail/dkim /etc/mail/dkim/*",
    "opensmtpd-plugins check && systemctl restart opensmtpd",
    f"systemd-sysusers {SIGNER}.conf",
    "install -d -o opensmtpd -m 0700 /var/log/smtpd",
    "table flat:/etc/mail/aliases",  # with the next one, in record.conf
    "capture /var/log/smtpd/aliases",
    *(
        f"install -g opensmtpd -m 0640 /dev/null /etc/mail/{name}"
        for name in (
            *("ldap.conf", "ldap.secret", "mysql.conf", "mysql.secret"),
            *("postgres.conf", "redis.conf"),
        )
    ),
    "install -o opensmtpd -m 0600 /dev/null /etc/mail/postgres.secret",
    "ln -s /var/lib/opensmtpd-plugins/metrics-out/opensmtpd.prom /var/lib/prometheus/node-exporter",
}
"""What is not tried, word by word: it is Debian's or smtpd's, or asks the network."""
FILES = {
    "etc/mail/aliases": "root: alice\n",
    "etc/mail/passwd": "alice:x:1000:1000::/home/alice:/bin/sh\n",
    "etc/mail/record.conf": "table flat:/etc/mail/aliases\ncapture /tmp/capture\n",
    "etc/mail/headers": "reject Subject /buy now/\nremove X-Internal-*\n",
    "etc/mail/limits": "user messages 200/1h\nuser recipients 1000/1d stop\n",
    **dict.fromkeys(("etc/mail/ldap.secret", "etc/mail/mysql.secret"), "a password\n"),
    "etc/smtpd.conf": 'table domains { example.org }\naction "x" maildir\n'
    'match for domain <domains> action "x"\n',
}
"""What is there before."""
AWAY = {
    "filter-milter": "No such file or directory|Connect call failed|Connection refused"
    "|Network is unreachable",
    "filter-rspamd": "Connection refused|Network is unreachable",
    "dovecot": "No such file or directory",
    "ldap": "needs python-ldap|Can't contact LDAP server",
    "mysql": "Can't connect|No such file or directory|Connection refused",
    "postgres": "Connection refused|Network is unreachable",
    "redis": "Connection refused|Network is unreachable",
    "socketmap": "No such file or directory",
}
"""Programs whose server is not here, and what each says of that: all else is in order then."""
ALONE = "unshare --net " if os.geteuid() == 0 else ""
"""Keeps a program from the servers that other tests have started: only root's tests do."""
DIRECTIVES = ("action ", "filter ", "listen ", "table ")
"""Of smtpd.conf."""
SHOWN_FILE = r"/(etc/\S+?\.(?:conf|secret))[,:]?(?: [^/]*)?:?\n\n((?:    .*\n)+)"
"""The path of a file in a sentence, and its lines below."""
SECRETS = {
    SIGNER: "etc/mail/dkim/example.org.mail.key",
    "opensmtpd-table-passwd-py": "etc/mail/passwd",
    "opensmtpd-table-sqlite-py": "root/tables.diff",
}
"""What nobody else may read afterwards."""
PROGRAMS = {
    # The group opensmtpd need not be here.
    **dict.fromkeys(("chgrp", "chown"), "exit 0"),
    # Nobody is stopped here. As root it would give files to a group that need not be here.
    "opensmtpd-plugins": '[ "$1" != release ] || exit 0; '
    f'[ "$1" = genkey ] && set -- "$@" --key "$PWD/{SECRETS[SIGNER]}"\n'
    f"exec {sys.executable} -c 'import os; os.geteuid = lambda: 1;"
    ' from opensmtpd_cli.__main__ import main; main()\' "$@"',
}


def shown(package: str) -> list[str]:
    """Return the lines that are set off from the text, of smtpd.conf and of the shell."""
    text = (DEBIAN / f"{package}.README.Debian").read_text()
    return re.findall(r"(?m)^(?:  |     )(?=\S)(.*)$", text)


def written(package: str, root: Path) -> None:
    """Write the files whose lines it shows: a path, and below it what stands in that file."""
    text = (DEBIAN / f"{package}.README.Debian").read_text()
    for path, lines in re.findall(SHOWN_FILE, text):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(inside(root, textwrap.dedent(lines)))


def inside(root: Path, text: str) -> str:
    """Return a text that names files below ``root`` where it names those of the machine."""
    return re.sub(r"(?<=[ :=])/(?=(?:etc|root|var)/)", f"{root}/", text)


def run(root: Path, command: str) -> None:
    """Run a command that must succeed."""
    done = tried(root, command)
    assert done.returncode == 0, done.stderr


def tried(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in ``root``, and on the files below it, not those of the machine."""
    path = f"{root / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-ec", inside(root, command)], cwd=root, env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = ("archive", "greylist", "limit", "metrics-out")
    state = [f"var/lib/opensmtpd-plugins/{name}" for name in names]
    for folder in ("bin", "etc/mail/dkim", "root", *state):
        (tmp_path / folder).mkdir(parents=True)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_shown_does_what_it_is_for(package: str, root: Path) -> None:
    lines = [line for line in shown(package) if line not in SYSTEM]
    commands = [
        line for line in lines if not line.startswith(("action ", "filter ", "listen ", "table "))
    ]
    written(package, root)
    run(root, "\n".join(commands))
    for line in lines:
        started = re.match(r'filter .* proc-exec "([^"]*)"|table \w+ ([a-z]+):(\S+)$', line)
        if started:
            # As smtpd starts them: a filter by the shell, a table with its file.
            command = f"{started[1] or f'table-{started[2]} {started[3]}'} --check"
            server = AWAY.get(started[2] or started[1].split()[0])
            if server:
                away = tried(root, f"{ALONE}{command}")
                assert away.returncode == 1
                assert re.search(server, away.stderr), away.stderr
            else:
                run(root, command)
        else:
            assert line in commands or line.startswith(("action ", "listen on ")), line
    if package in SECRETS:
        assert (root / SECRETS[package]).stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_no_words_of_smtpd_conf(package: str) -> None:
    named = re.findall(r"(?m)\b(?:filter|table) (\S+)", "\n".join(shown(package)))
    assert [name for name in named if name in KEYWORDS] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_options_are_those_of_the_pages(package: str) -> None:
    pages = "".join(page.read_text() for page in PAGES.iterdir())
    text = (DEBIAN / f"{package}.README.Debian").read_text()
    for option in re.findall(r"--[a-z][a-z-]+", text):
        assert re.search(rf"Fl {option[1:]}(?![\w-])", pages), option


def test_the_filter_runs_as_the_user_that_may_read_the_key() -> None:
    (line,) = [each for each in shown(SIGNER) if " proc-exec " in each]
    assert line.endswith('" user _dkimsign group _dkimsign')
