"""filter-archive on a real smtpd: the copies of accepted messages, and of no others."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support import archive_scenes as scenes
from integration.support.archive_scenes import COPIES, copies, hello, send, session, transaction
from lab.chaos.processes import workers
from lab.peers import mail
from lab.peers.copies import until
from lab.root import inside
from lab.root.plugin import LIBEXEC
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "archive", scenes.prepare)], indirect=True, ids=str
)
HEADER = b"From: bob@example.net\r\nTo: alice@example.com\r\nSubject: odd\r\n"
MESSAGES = {
    "small": hello("small"),
    "8 bits": HEADER + b"X-Bytes: \xff\xfe\r\n\r\n\x80\x81\xfc latin\r\n",
    "dots": HEADER + b".odd: field\r\n\r\n.\r\n..\r\n.x\r\n...\r\n",
    "no body": HEADER,
    "empty body": HEADER + b"\r\n",
    "blank lines": HEADER + b"\r\n\r\n\r\n \r\n\t\r\n\r\n",
    "no header": b"\r\nbody alone\r\n",
    "nothing": b"",
    "long line": HEADER + b"\r\n" + b"x" * 20_000 + b"\r\n",
    "forged": b"X-Archive-Status: doubtful\r\nX-Archive-Id: x\r\nX-Envelope-To: <x@y>\r\n" + HEADER,
    "large": HEADER + b"\r\n" + b".line of a large message\r\n" * 200_000,
}
MEDIUM = HEADER + b"\r\n" + b"line of a message\r\n" * 50_000


@pytest.fixture
def lab(lab: Lab) -> Iterator[Lab]:
    """smtpd; no copy is there at first, and none at the end."""
    folders = [copies(lab, title) for title in ("kept", "twice")]
    for each in folders:
        each.take(0)
    yield lab
    assert [each.settled() for each in folders] == [[], []]


# --- accepted messages ----------------------------------------------------------------------------


@pytest.mark.parametrize("title", MESSAGES)
def test_a_copy_is_the_message_byte_for_byte(lab: Lab, title: str) -> None:
    with session() as client:
        assert transaction(client, MESSAGES[title]) == 250
    copy = copies(lab).one()
    assert copy.message == lab.inbox.one().message
    assert (copy.status, copy.sender, copy.recipients) == (
        *("accepted", STRANGER.encode(), [LOCAL.encode()]),
    )
    assert f"msgid={copy.msgid}" in lab.log


def test_the_envelope(lab: Lab) -> None:
    """Recipients that smtpd has accepted, as the client named them; a bounce has no sender."""
    recipients = ["root@example.com", "no-such-user@example.com", "username@example.com"]
    with session() as client:
        assert transaction(client, hello("to some"), recipients, sender="") == 250
    copy = copies(lab).one()
    assert (copy.sender, copy.recipients) == (
        *(b"", [b"root@example.com", b"username@example.com"]),
    )
    box = lab.guide.home("username") / "Maildir/new"
    until(lambda: box.is_dir() and len(list(box.iterdir())) == 2)
    for each in box.iterdir():
        each.unlink()


def test_messages_of_a_session(lab: Lab) -> None:
    with session() as client:
        for number in range(4):
            assert transaction(client, hello(f"number {number}")) == 250
            client.rset()
    found = copies(lab).take(4)
    delivered = {each.message for each in lab.inbox.take(4)}
    assert {each.message for each in found} == delivered
    assert len({each.msgid for each in found}) == len(delivered) == 4


def test_a_field_that_smtpd_takes_out(lab: Lab) -> None:
    """The archive has it: smtpd does so behind the filters."""
    with session() as client:
        assert transaction(client, b"Bcc: carol@example.com\r\n" + HEADER) == 250
    assert b"\nBcc: carol@example.com\n" in copies(lab).one().message
    assert b"\nBcc: " not in lab.inbox.one().message


def test_local_mail(lab: Lab) -> None:
    mail.sendmail(lab.guide.view, "alice", LOCAL, b"To: alice@example.com\nSubject: x\n\ntext\n")
    copy = copies(lab).one()
    assert copy.message.endswith(b"\nSubject: x\n\ntext\n")
    assert (copy.sender, copy.recipients) == (LOCAL.encode(), [LOCAL.encode()])
    lab.inbox.one()


def test_two_filters_with_one_folder(lab: Lab) -> None:
    assert send("twice") == 250
    first, second = copies(lab, "twice").take(2)
    assert first.message == second.message == lab.inbox.one().message
    assert first.msgid == second.msgid
    assert first.path.name != second.path.name


def test_the_files_are_the_users_alone(lab: Lab) -> None:
    assert send() == 250
    lab.inbox.one()
    found = copies(lab)
    until(lambda: found.names("new"))
    user = found.path.parent.stat().st_uid
    for path in (found.path, *found.path.rglob("*")):
        status = path.stat()
        assert (status.st_uid, status.st_mode & 0o077) == (user, 0)
    found.one()


# --- messages that are not accepted ---------------------------------------------------------------


def nothing_is_kept(lab: Lab, title: str = "kept") -> None:
    """Assert that no copy is left of what was sent before, though the next message is kept."""
    assert send("kept", "the next one") == 250
    assert b"\nSubject: the next one\n" in lab.inbox.one().message
    assert b"\nSubject: the next one\n" in copies(lab).one().message
    assert copies(lab, title).settled() == []


def test_a_message_that_a_filter_behind_it_refuses(lab: Lab) -> None:
    with session("refused behind") as client:
        for _ in range(3):
            assert transaction(client, hello("refused behind")) == 550
            client.rset()
        assert transaction(client, hello("taken behind")) == 250
    assert b"\nSubject: taken behind\n" in lab.inbox.one().message
    assert b"\nSubject: taken behind\n" in copies(lab).one().message
    nothing_is_kept(lab)


def test_a_message_that_is_given_up(lab: Lab) -> None:
    with session() as client:
        client.mail(STRANGER)
        client.rcpt(LOCAL)
        client.rset()
        assert transaction(client, hello("refused"), ["no-such-user@example.com"]) == 503
        client.rset()
    nothing_is_kept(lab)


@pytest.mark.parametrize("upto", ["RCPT", "DATA", "half of the message"])
def test_a_client_that_goes(lab: Lab, upto: str) -> None:
    client = session()
    client.mail(STRANGER)
    client.rcpt(LOCAL)
    if upto != "RCPT":
        client.docmd("DATA")
    if upto == "half of the message":
        client.send(HEADER)
    client.close()
    nothing_is_kept(lab)


def test_a_client_that_goes_while_its_copy_is_written(lab: Lab) -> None:
    """It does not hear what becomes of its message; smtpd and the archive are of one mind."""
    victims = [each.pid for each in workers(lab.server) if each.kind == COPIES]
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)
    client = session()
    client.mail(STRANGER)
    client.rcpt(LOCAL)
    client.docmd("DATA")
    client.send(MEDIUM + b".\r\n")
    until(lambda: lab.log.count("smtp connected") == lab.log.count("smtp disconnected") + 1)
    client.close()
    for pid in victims:
        os.kill(pid, signal.SIGCONT)
    until(lambda: lab.log.count("smtp connected") == lab.log.count("smtp disconnected"))
    messages = [each.message for each in copies(lab).take(0)]
    assert messages == [each.message for each in lab.inbox.take(len(messages))]
    nothing_is_kept(lab)


def test_smtpd_has_no_room(lab: Lab) -> None:
    """smtpd refuses what the filter has let pass."""
    spool = lab.guide.view / "var/spool/smtpd/incoming"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "tmpfs", spool], check=True)
    user = (spool.parent / "queue").stat()
    os.chown(spool, user.st_uid, user.st_gid)
    try:
        with session() as client:
            assert transaction(client, MEDIUM) >= 400
    finally:
        subprocess.run(["umount", "--lazy", spool], check=True)
    nothing_is_kept(lab)


# --- folders --------------------------------------------------------------------------------------


def checked(lab: Lab, folder: str) -> tuple[int, str]:
    """Return what -n says of a folder, as the filter's user."""
    program = f"/{LIBEXEC}/{scenes.NAME}"
    user = ("setpriv", f"--reuid={scenes.USER}", f"--regid={scenes.USER}", "--clear-groups", "--")
    done = inside.tried(lab.guide.view, *user, program, "-n", folder)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("/root", "/root: no folder for copies; make it a folder that the filter's user may write"),
        ("/etc/passwd", "/etc/passwd: no folder for copies; make it a folder that the filter's"),
        ("/home/alice/copies", "/home/alice/copies: it cannot be made; make it a folder"),
    ],
)
def test_a_folder_of_somebody_else(lab: Lab, folder: str, words: str) -> None:
    code, said = checked(lab, folder)
    assert code == 1
    assert words in said


def test_folders_that_can_be_used(lab: Lab) -> None:
    path = Path(scenes.PLACE) / "another"
    assert checked(lab, str(path)) == (0, "filter-archive: configuration OK\n")
    assert checked(lab, f"{scenes.PLACE}/kept") == (0, "filter-archive: configuration OK\n")
    assert not (lab.guide.view / str(path)[1:]).exists()
