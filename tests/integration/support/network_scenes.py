"""Scenes for all tables whose rows are on a server: beside the program in C, and under smtpd.

A test of a table has the server (``conftest``), writes rows and a configuration, and calls these.
"""

import re
import smtplib
import time
from collections.abc import Callable, Iterable, Mapping

from lab.peers import mail
from lab.peers.databases.server import DatabaseServer
from lab.peers.numbered import NumberedMail, missing_and_twice
from lab.peers.table_client import Died, Illegal, TableClient
from lab.shows import moves
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide
from lab.support import Lab

Ask = tuple[bytes, str | None, bytes | None]
"""Verb, service and key, of which ``update`` has neither and ``fetch`` no key."""
Start = Callable[[], TableClient]
DIED = b"died"
"""Stands for an answer where the program ended instead."""
TITLES = (
    "sender of his own", "another's sender, port 587", "sender of no user", "alias",
    "second domain", "tag", "visitor to us", "visitor to nobody", "visitor to another domain",
    "relaying for relayaddr", "sources",
)  # fmt: skip
"""Scenes of ``table_scenes`` whose outcomes ``use_all_tables`` does not change."""
ALICE, NOBODY = "alice@example.com", "noone@example.com"


def answers(start: Start, asked: Iterable[Ask]) -> list[bytes]:
    """Return the answers of a program, which is started again where it has ended.

    An error is ``error``, whatever is said of it; a line that smtpd dies of is ``illegal: LINE``.
    """
    table, given = start(), []
    try:
        for request in asked:
            try:
                answer = table.ask(*request)
                given.append(b"error" if answer.startswith(b"error") else answer)
            except (Died, Illegal) as fault:
                given.append(DIED if isinstance(fault, Died) else b"illegal: " + fault.args[0])
                table.close()
                table = start()
    finally:
        table.close()
    return given


def differences(theirs: Start, ours: Start, asked: Iterable[Ask]) -> dict[Ask, tuple[bytes, bytes]]:
    """Ask both programs the same; return their answer and ours to requests where those differ.

    A test compares this with the literal faults of the program in C that are mended::

        differences(
            lambda: TableClient(original(root, "table-postgres"), conf),
            lambda: TableClient(ours("table-postgres"), conf),
            asked,
        ) == {(b"lookup", "alias", b"null"): (b"illegal: …", b"not-found")}
    """
    asked = list(asked)
    one, other = answers(theirs, asked), answers(ours, asked)
    pairs = zip(asked, one, other, strict=True)
    return {request: (their, our) for request, their, our in pairs if their != our}


def use_tables(guide: Guide, program: str, confs: Mapping[str, str]) -> None:
    """Have tables of the guide's smtpd.conf served by ``table-PROGRAM``.

    ``confs`` has the configuration of each table; its names are those of the guide (domains,
    aliases, hosts, relayaddr, users), or new ones, whose lines are added. The files are
    /etc/mail/NAME.conf, which smtpd's user can read. The server must run: ``smtpd -n`` asks it.
    """
    _write_tables(guide, program, confs)
    moves.check(guide)


def _write_tables(guide: Guide, program: str, confs: Mapping[str, str]) -> None:
    conf = guide.view / moves.CONF[1:]
    text = conf.read_text()
    for name, content in confs.items():
        path = f"/etc/mail/{name}.conf"
        (guide.view / path[1:]).write_text(content)
        moves.readable(guide, path)
        (guide.view / path[1:]).chmod(0o640)
        line = f"table {name} {program}:{path}"
        text, count = re.subn(rf"(?m)^table {name} .*$", line, text)
        if not count:
            text = text.replace("# Blocks junk mail", f"{line}\n\n# Blocks junk mail")
    conf.write_text(text)


def use_all_tables(guide: Guide, program: str, content: str) -> None:
    """Have all tables of the guide, its users and their passwords served by one configuration."""
    names = ("domains", "aliases", "hosts", "relayaddr", "users", "logins", "people")
    _write_tables(guide, program, dict.fromkeys(names, content))
    conf = guide.view / moves.CONF[1:]
    text = conf.read_text()
    for old, new, times in (
        (r"alias <aliases>", "alias <aliases> userbase <people>", 1),
        (r"\b(auth|auth-optional) mask-src", r"\1 <logins> mask-src", 2),
    ):
        text, count = re.subn(old, new, text)
        assert count == times
    conf.write_text(text)
    moves.check(guide)


def said(recipient: str, sender: str = STRANGER) -> int:
    """Return the reply to RCPT TO of somebody from outside; 421 where there is no session."""
    try:
        with mail.connect() as client:
            client.mail(sender)
            return client.rcpt(recipient)[0]
    except (smtplib.SMTPException, OSError):
        return 421


def until(good: Callable[[], bool], seconds: float = 30.0) -> float:
    """Wait until it is so; return the seconds that it took. Raises TimeoutError."""
    start = time.monotonic()
    while not good():
        if time.monotonic() - start > seconds:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.05)
    return time.monotonic() - start


def well(lab: Lab) -> bool:
    """Tell whether Alice is known, and nobody is not."""
    lab.server.check()
    return (said(ALICE), said(NOBODY)) == (250, 550)


def starts_without(lab: Lab, database: DatabaseServer) -> None:
    """Start smtpd while the server is away: it is up, tempfails, and heals by itself."""
    database.stop()
    try:
        lab.server.restart()
        assert 400 <= said(ALICE) < 500
        assert 400 <= said(NOBODY) < 500
        lab.server.check()
    finally:
        database.heal()
    until(lambda: well(lab))


def outages(lab: Lab, database: DatabaseServer) -> None:
    """Stop, kill and pause the server: recipients get 4xx, the same smtpd heals each time."""
    plugins = set(lab.server.plugins())
    until(lambda: well(lab))
    for befall in (database.stop, database.kill9, database.pause):
        befall()
        assert 400 <= said(ALICE) < 500, befall
        assert 400 <= said(NOBODY) < 500, befall
        database.heal()
        until(lambda: well(lab))
    assert plugins <= set(lab.server.plugins())


def nothing_is_lost(
    lab: Lab, database: DatabaseServer, befall: Iterable[Callable[[], None]]
) -> None:
    """Have things befall the server under load: each accepted mail comes once, none is refused."""
    until(lambda: well(lab))
    with NumberedMail(lambda _: mail.connect(), STRANGER, ALICE) as load:
        for each in befall:
            load.goes_on()
            each()
            time.sleep(0.3)
            database.heal()
            load.goes_on()
    lab.server.check()
    assert load.refused == []

    def take() -> list[bytes]:
        moves.smtpctl(lab.guide, "schedule", "all")  # what failed for a while is tried again now
        return lab.inbox.rest()

    assert missing_and_twice(load, take) == (set(), set())
