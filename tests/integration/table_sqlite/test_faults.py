"""What may befall a database while smtpd runs on it, and what becomes of mail meanwhile.

smtpd stays up, with the same table processes; mail gets temporary errors at worst; all is well when
the fault ends, without anybody's help.
"""

import smtplib
import sqlite3
import subprocess
import time
from collections.abc import Callable

import pytest

from integration.support.table_faults import DATABASE, FOLDER, SPOILERS, Undo, database, path
from integration.support.table_scenes import ALICE, OUTSIDE
from lab.peers import mail
from lab.root.inside import CommandError
from lab.shows import moves
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, setups


def prepare(guide: Guide) -> None:
    """Put the database onto a small file system of its own."""
    folder = guide.view / FOLDER[1:]
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", folder], check=True)
    moves.use_sources(guide, "7.6")
    moves.to_credentials(guide, DATABASE)


pytestmark = pytest.mark.parametrize("running", setups("faults", prepare), indirect=True, ids=str)


def strangers_mail(lab: Lab) -> int:
    """Return the code that a mail from outside ends with: of the first refusal, or of the end."""
    with mail.connect() as client:
        return mail.send(client, STRANGER, ALICE, mail.compose(STRANGER, ALICE, "fault"))[0]


def users_mail(lab: Lab) -> int:
    """The same for a mail of Alice's."""
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(lab.guide))
    try:
        client.login("alice", "correcthorse")
        return mail.send(client, ALICE, ALICE, mail.compose(ALICE, ALICE, "fault"))[0]
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    finally:
        client.close()


def all_is_well(lab: Lab) -> None:
    assert strangers_mail(lab) == 250
    assert users_mail(lab) == 250
    assert [one.folder for one in lab.inbox.take(2)] == ["inbox", "inbox"]


def temporary(code: int) -> bool:
    return 400 <= code < 500


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_database_that_is_no_use(lab: Lab, spoil: Callable[[Lab], Undo]) -> None:
    all_is_well(lab)
    undo = spoil(lab)
    try:
        assert temporary(strangers_mail(lab))
        assert temporary(users_mail(lab))
        lab.server.check()
    finally:
        undo()
    all_is_well(lab)


def test_a_locked_database(lab: Lab) -> None:
    """Passwords are never kept; of all else, what is known of an unchanged database may be used."""
    all_is_well(lab)
    strangers, users = [], []
    with database(lab) as db:
        db.execute("BEGIN EXCLUSIVE")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            strangers.append(strangers_mail(lab))
            users.append(users_mail(lab))
            lab.server.check()
        db.execute("COMMIT")
    assert all(map(temporary, users)), users
    assert all(code == 250 or temporary(code) for code in strangers), strangers
    lab.inbox.take(strangers.count(250))
    all_is_well(lab)


def newcomer(lab: Lab) -> int:
    """Return the reply to a recipient who may not exist."""
    with mail.connect() as client:
        client.mail(STRANGER)
        return client.rcpt("newcomer@example.com")[0]


def test_answers_that_are_kept(lab: Lab) -> None:
    """They are given even while the database is locked, and no longer when it has changed."""
    with database(lab) as db:
        for change, code in (
            ("SELECT 1", 550),
            ("INSERT INTO aliases VALUES ('newcomer', 'alice')", 250),
            ("DELETE FROM aliases WHERE key = 'newcomer'", 550),
        ):
            db.execute(change).fetchall()
            end, locked = time.monotonic() + 60, 0
            while locked != code:
                for _ in range(3):
                    assert newcomer(lab) == code  # at once, and when it has come to be known
                db.execute("BEGIN EXCLUSIVE")
                locked = newcomer(lab)
                db.execute("COMMIT")
                assert locked == code or (temporary(locked) and time.monotonic() < end)
            lab.server.check()


def test_a_database_locked_again_and_again(lab: Lab) -> None:
    """For less than a table waits: nobody notices."""
    codes = []
    end = time.monotonic() + 3
    with database(lab) as db:
        while time.monotonic() < end:
            db.execute("BEGIN EXCLUSIVE")
            db.execute("UPDATE aliases SET value = value")
            db.execute("COMMIT")
            codes.append(strangers_mail(lab))
    assert set(codes) == {250}
    lab.inbox.take(len(codes))


def test_another_database(lab: Lab) -> None:
    """Renamed over the old one, as a backup is: it counts at once."""
    old, new = path(lab).with_name("old"), path(lab).with_name("new")
    old.hardlink_to(path(lab))
    new.write_bytes(path(lab).read_bytes())
    new.chmod(0o644)
    with sqlite3.connect(new) as db:
        db.execute("DELETE FROM domains")
    db.close()
    all_is_well(lab)
    new.rename(path(lab))
    try:
        with mail.connect() as client:
            client.mail(STRANGER)
            assert client.rcpt("noone@example.com")[0] == 250  # no domain of ours: to be relayed
    finally:
        old.rename(path(lab))
    all_is_well(lab)


def test_a_full_disk(lab: Lab) -> None:
    """Nothing can be written, and all can be read."""
    filler = path(lab).with_name("filler")
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(2_000_000))
    try:
        with pytest.raises(CommandError, match="full"):
            moves.operator(lab.guide, "user", "add", DATABASE, "carol", given="secret\n")
        all_is_well(lab)
    finally:
        filler.unlink()
    moves.operator(lab.guide, "user", "add", DATABASE, "carol", given="secret\n")
    moves.operator(lab.guide, "user", "remove", DATABASE, "carol")
    all_is_well(lab)


WRITER = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN")
db.execute("UPDATE aliases SET value = 'nobody'")
for number in range(2000):  # more than the cache holds: it goes to the file
    db.execute("INSERT INTO aliases VALUES (?, 'nobody')", (f"filler{number}",))
os._exit(1)
"""


def test_a_writer_that_dies(lab: Lab) -> None:
    """It leaves a journal, which only somebody who may write can roll back."""
    done = subprocess.run(["python3", "-c", WRITER, path(lab)], check=False)
    assert done.returncode == 1
    journal = path(lab).with_name("smtpd.sqlite-journal")
    assert journal.stat().st_size
    codes = [strangers_mail(lab), users_mail(lab)]
    assert all(map(temporary, codes)), codes
    moves.operator(lab.guide, "alias", "add", DATABASE, "anybody", "alice")
    moves.operator(lab.guide, "alias", "remove", DATABASE, "anybody")
    assert not journal.exists()
    all_is_well(lab)


def test_sources_that_cannot_be_read(lab: Lab) -> None:
    """The mail is taken, and waits."""
    with database(lab) as db:
        db.execute("ALTER TABLE hosts RENAME TO away")
        try:
            message = mail.compose(ALICE, "carol@other0.example.org", "no source")
            with mail.submission(lab.guide) as client:
                assert mail.send(client, ALICE, "carol@other0.example.org", message)[0] == 250
            wait_for(lab, 'result="TempFail"')
        finally:
            db.execute("ALTER TABLE away RENAME TO hosts")
    moves.smtpctl(lab.guide, "schedule", "all")  # smtpd itself would try again after 400 s
    assert b"Subject: no source\n" in lab.sink.take(30)


def wait_for(lab: Lab, text: str) -> None:
    end = time.monotonic() + 30
    while text not in lab.log:
        assert time.monotonic() < end, lab.server.tail()
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, 250),  # no such alias: it is the user
        ("", 250),
        (b"", 250),
        ("alice\nusername", 424),
        ("alice\r", 424),
        ("alice\0username", 424),
        ("alice, " * 300 + "alice", 424),
        ("x" * 2048, 424),
        ("x" * 100_000, 424),
        ('"unclosed', 424),
        (b"\xff\xfe@example.com", 424),
    ],
)
def test_cells_that_are_no_use(lab: Lab, value: object, code: int) -> None:
    with database(lab) as db:
        db.execute("ALTER TABLE aliases RENAME TO away")
        db.execute("CREATE TABLE aliases (key, value)")
        try:
            db.execute("INSERT INTO aliases VALUES ('alice', ?)", (value,))
            assert strangers_mail(lab) == code
        finally:
            db.execute("DROP TABLE aliases")
            db.execute("ALTER TABLE away RENAME TO aliases")
    if code == 250:
        assert lab.inbox.one().folder == "inbox"
    all_is_well(lab)


@pytest.mark.parametrize("key", ["'; DROP TABLE aliases; --", "a|b", "x" * 64, "%", '\\"', "ä"])
def test_odd_recipients(lab: Lab, key: str) -> None:
    with mail.connect() as client:
        client.command_encoding = "utf-8"
        client.mail(STRANGER)
        code = client.docmd("RCPT", f"TO:<{key}@example.com>")[0]
    assert code in (500, 501, 503, 550, 553)
    all_is_well(lab)


def test_the_configuration_goes(lab: Lab) -> None:
    conf = path(lab).with_name("aliases.conf")
    away = conf.with_name("away.conf")
    conf.rename(away)
    try:
        assert moves.smtpctl(lab.guide, "update", "table", "aliases") == "command failed"
        all_is_well(lab)
    finally:
        away.rename(conf)
    assert moves.smtpctl(lab.guide, "update", "table", "aliases") == "command succeeded"
    all_is_well(lab)


def test_a_mail_to_the_outside_still_goes(lab: Lab) -> None:
    with mail.submission(lab.guide) as client:
        message = mail.compose(ALICE, OUTSIDE, "after all")
        assert mail.send(client, ALICE, OUTSIDE, message)[0] == 250
    assert b"Subject: after all\n" in lab.sink.take(30)
