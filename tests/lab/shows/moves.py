"""The guide's tables and junk lines by other means, as an administrator would move them."""

import re
import subprocess

from lab.root import inside
from lab.root.namespace import SECOND4, SERVER6, SOURCE4
from lab.shows.guide import PASSWORD, Guide

TABLES = ("domains", "aliases", "hosts", "relayaddr", "users")
DATABASE = "/etc/mail/smtpd.sqlite"
CONF = "/etc/mail/smtpd.conf"
USER = "opensmtpd"
"""smtpd's own user on Debian, which its tables run as."""
SOURCES = {"7.6": (SOURCE4, SECOND4), "7.9": (SOURCE4, SERVER6)}
"""Addresses in the table ``hosts`` that smtpd can use: 7.6 understands no IPv6 source
(``parse_sockaddr`` in ``table.c`` reads it with ``inet_pton(PF_INET, …)``).
"""


def use_sources(guide: Guide, smtpd: str) -> None:
    """Write addresses into the table ``hosts`` that this smtpd can use."""
    (guide.view / "etc/mail/hosts").write_text("".join(f"{one}\n" for one in SOURCES[smtpd]))


def operator(guide: Guide, *arguments: str, given: str = "") -> str:
    """Run ``opensmtpd-plugins`` beside the server; returns what it prints. Raises CommandError."""
    return inside.done(guide.view, "opensmtpd-plugins", *arguments, given=given)


def readable(guide: Guide, *names: str) -> None:
    """Let smtpd's user read files of the view."""
    inside.done(guide.view, "chgrp", USER, *names)


def check(guide: Guide) -> None:
    """Have smtpd check its configuration. Raises CommandError."""
    inside.done(guide.view, "smtpd", "-n", "-f", CONF)


def to_sqlite(guide: Guide, database: str = DATABASE) -> str:
    """Move to SQLite: one command, and the edited lines that it prints; returns those."""
    edits = operator(guide, "import", CONF, database)
    readable(guide, database)
    subprocess.run(
        ["patch", "--quiet", "-p1", "-d", guide.view],
        check=True, input=edits, text=True, timeout=60,
    )  # fmt: skip
    check(guide)
    return edits


def to_filters(guide: Guide) -> str:
    """Replace the two builtin junk lines by our filters; returns the edited lines."""
    conf = guide.view / CONF[1:]
    edits, text = [], conf.read_text()
    for name in ("rdns", "fcrdns"):
        old = f"filter check_{name} phase connect match !{name} junk"
        new = f'filter check_{name} proc-exec "filter-{name}"'
        assert old in text
        text = text.replace(old, new)
        edits += [f"-{old}", f"+{new}"]
    conf.write_text(text)
    check(guide)
    return "\n".join(edits)


def to_auth(guide: Guide) -> str:
    """Judge mail from outside by filter-auth, in front of the junk lines; returns the edits."""
    conf = guide.view / CONF[1:]
    text = conf.read_text()
    junk = re.findall(r"(?m)^filter check_rdns .*$", text)[0]
    new = 'filter check_auth proc-exec "filter-auth --enforce --trust-sealer list.example"'
    optional = re.findall(r"(?m)^optional = .*$", text)[0]
    chain = optional.replace("filter { check_rdns", "filter { check_auth check_rdns")
    conf.write_text(text.replace(junk, f"{new}\n{junk}").replace(optional, chain))
    check(guide)
    return "\n".join((f"+{new}", f"-{optional}", f"+{chain}"))


def to_flat(guide: Guide) -> None:
    """Have table-flat serve the same five files."""
    conf = guide.view / CONF[1:]
    text, count = re.subn(r"(?m)^(table \w+) file:", r"\1 flat:", conf.read_text())
    assert count == len(TABLES)
    conf.write_text(text)
    readable(guide, *(f"/etc/mail/{name}" for name in TABLES))
    check(guide)


def to_credentials(guide: Guide, database: str = DATABASE) -> None:
    """Move to SQLite, and let nobody log in but Alice, with the guide's password."""
    to_sqlite(guide, database)
    line = operator(guide, "user", "add", database, "alice", given=f"{PASSWORD}\n")
    authenticate_with(guide, line)


def authenticate_with(guide: Guide, table: str) -> None:
    """Have the listeners for users ask a table; ``table`` is its line for smtpd.conf."""
    conf = guide.view / CONF[1:]
    name = table.split()[1]
    text = conf.read_text().replace("# Blocks junk mail", f"{table.strip()}\n\n# Blocks junk mail")
    text, count = re.subn(r"(\bauth|auth-optional) mask-src", rf"\1 <{name}> mask-src", text)
    assert count == 2
    conf.write_text(text)
    check(guide)


def smtpctl(guide: Guide, *arguments: str) -> str:
    """Run smtpctl; returns what it says, on either output."""
    ended = inside.tried(guide.view, "smtpctl", *arguments)
    return (ended.stdout + ended.stderr).decode().strip()
