"""Copies are handed on over LMTP: to servers that take them, refuse them, close, and hang."""

import errno
import os
import smtplib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.peers import lmtp as says
from lab.peers.copies import Copies, until
from lab.peers.lmtp import CLOSE, HANG, ScriptedLmtp
from opensmtpd.backends.network import names
from opensmtpd.errors import Unavailable
from opensmtpd.mail.archive import lmtp as module
from opensmtpd.mail.archive.envelope import head
from opensmtpd.mail.archive.lmtp import LmtpWorker
from opensmtpd.mail.archive.maildir import ArchiveMaildir
from opensmtpd.mail.place import place
from opensmtpd.needs import Needs

RECIPIENT = "archive@example.com"
BODY = b"Subject: x\n\n.dot\n..\ntext \xff\n"
OWNER = "a" * 12


def ident(number: int) -> bytes:
    return b"%08xN%d.%s" % (number, number, OWNER.encode())


def put(copies: Copies, number: int, sender: bytes = b"bob@example.net", body: bytes = BODY) -> str:
    """Have an accepted copy; return its name."""
    name = f"17000000{number:02}.M{ident(number).decode()}"
    text = head(ident(number).decode(), sender, [b"alice@example.com"]) + body
    (copies.path / "new" / name).write_bytes(text)
    return name


def worker(server: ScriptedLmtp, copies: Copies) -> LmtpWorker:
    at = place(server.place, "an LMTP server")
    made = LmtpWorker()
    made.load([str(copies.path), at if isinstance(at, str) else list(at), RECIPIENT])
    return made


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    ArchiveMaildir(str(tmp_path / "archive"), OWNER).prepare()
    return Copies(tmp_path / "archive")


@pytest.fixture
def server() -> Iterator[ScriptedLmtp]:
    with ScriptedLmtp() as made:
        yield made


@pytest.fixture
def lmtp(server: ScriptedLmtp, copies: Copies) -> LmtpWorker:
    return worker(server, copies)


# --- servers that take copies ---------------------------------------------------------------------


def test_nothing_to_do(lmtp: LmtpWorker, server: ScriptedLmtp) -> None:
    server.away()
    assert lmtp.handle([]) is False


def test_copies_are_handed_on(lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies) -> None:
    for number in (2, 1):
        put(copies, number)
    assert lmtp.handle([]) is True
    assert [each.ident for each in server.accepted()] == [ident(1), ident(2)]
    first = server.accepted()[0]
    assert first.sender.partition(b" ")[0] == b"<bob@example.net>"
    assert first.recipient == b"<archive@example.com>"
    copy = head(ident(1).decode(), b"bob@example.net", [b"alice@example.com"]) + BODY
    assert first.message == copy.replace(b"\n", b"\r\n")
    assert copies.names("new") == []
    assert lmtp.handle([]) is False


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        (b"", b"<>"),
        (b"b\xfcb@example.net", b"<>"),
        (b"a+b@example.net", b"<a+b@example.net>"),
        (
            b"SRS0=HHH=TT=example.org=user@example.net",
            b"<SRS0=HHH=TT=example.org=user@example.net>",
        ),
        (b"o'brien@example.net", b"<o'brien@example.net>"),
        (b'"a b"@example.net', b'<"a b"@example.net>'),
        (b"local", b"<local>"),
    ],
)
def test_senders(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, sender: bytes, shown: bytes
) -> None:
    put(copies, 1, sender)
    assert lmtp.handle([]) is True
    (taken,) = server.accepted()
    assert taken.sender.rpartition(b" size=")[0] == shown


def test_a_sender_in_the_body_is_not_taken(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies
) -> None:
    put(copies, 1, b"", b"X-Envelope-From: <mallory@example.org>\n\ntext\n")
    lmtp.handle([])
    assert server.accepted()[0].sender.startswith(b"<> ")


@pytest.mark.parametrize("body", [b"", b"\n", b"\n.", b"A: 1\n\n" + b"x" * 9000 + b"\n", b".\n"])
def test_bodies(lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, body: bytes) -> None:
    put(copies, 1, body=body)
    lmtp.handle([])
    (taken,) = server.accepted()
    end = b"" if body.endswith(b"\n") or not body else b"\n"
    assert taken.message.endswith(b"com>\r\n" + (body + end).replace(b"\n", b"\r\n"))


def test_a_unix_socket(copies: Copies, tmp_path: Path) -> None:
    put(copies, 1)
    with ScriptedLmtp(tmp_path / "lmtp") as server:
        assert worker(server, copies).handle([]) is True
        assert [each.ident for each in server.accepted()] == [ident(1)]


def test_many_copies(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    for number in range(7):
        put(copies, number)
    assert [lmtp.handle([]) for _ in range(4)] == [True, True, True, False]
    assert server.idents() == {ident(number): 1 for number in range(7)}


def test_time_is_shared(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", -1.0)
    for number in range(2):
        put(copies, number)
    assert [lmtp.handle([]) for _ in range(3)] == [True, True, False]
    assert len(server.accepted()) == 2


def test_its_needs(copies: Copies, tmp_path: Path) -> None:
    files = Needs(writes=(str(copies.path),), locks=True)
    by_path, by_name = LmtpWorker(), LmtpWorker()
    by_path.load([str(copies.path), str(tmp_path / "lmtp"), RECIPIENT])
    by_name.load([str(copies.path), ["localhost", 24], RECIPIENT])
    assert by_path.needs == files | Needs(sockets=(str(tmp_path / "lmtp"),))
    assert by_name.needs == files | names.NEEDS


def test_a_copy_that_cannot_be_removed_is_not_handed_on_again(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes no changes any more: the server would get it every few seconds."""

    def fail(path: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    put(copies, 1)
    monkeypatch.setattr(os, "unlink", fail)
    for _ in range(3):
        with pytest.raises(Unavailable, match="Read-only file system"):
            lmtp.handle([])
    monkeypatch.undo()
    assert lmtp.handle([]) is True
    assert copies.names("new") == []
    put(copies, 1)
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(1): 2}


# --- servers that refuse --------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["421 4.3.2 closing", "451 4.3.0 later", "450-4.2.1 two\r\n450 x"])
@pytest.mark.parametrize("stage", says.STAGES)
def test_what_is_refused_for_now_comes_again(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, stage: str, code: str
) -> None:
    put(copies, 1)
    server.plan = {stage: [code]}
    with pytest.raises(Unavailable):
        lmtp.handle([])
    assert len(copies.names("new")) == 1
    server.plan = {}
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(1): 2 if stage == says.DOT else 1}
    assert len(server.accepted()) == 1
    assert copies.names("new") == copies.names("cur") == []


def test_the_reply_is_told(lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies) -> None:
    put(copies, 1)
    server.plan = {says.RCPT: ["452 4.2.2 mailbox \x07 full"]}
    with pytest.raises(Unavailable) as raised:
        lmtp.handle([])
    assert str(raised.value) == "452 4.2.2 mailbox \x07 full"


@pytest.mark.parametrize("stage", [says.MAIL, says.RCPT, says.DATA, says.DOT])
def test_one_that_is_refused_for_now_keeps_no_other(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, stage: str
) -> None:
    for number in range(3):
        put(copies, number)
    server.plan = {stage: ["451 4.3.0 later"]}
    with pytest.raises(Unavailable, match=r"^451 4\.3\.0 later$"):
        lmtp.handle([])
    assert [each.ident for each in server.accepted()] == [ident(1), ident(2)]
    assert len(copies.names("new")) == 1


def test_a_server_that_refuses_all_is_left_in_peace(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFUSED_MAX", 3)
    for number in range(9):
        put(copies, number)
    server.plan = {says.DOT: ["451 4.3.0 later"] * 9}
    with pytest.raises(Unavailable):
        lmtp.handle([])
    assert (len(server.taken), len(copies.names("new"))) == (3, 9)


@pytest.mark.parametrize("stage", [says.DATA, says.DOT])
def test_what_is_refused_for_ever_is_set_aside(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, stage: str, logged: list[str]
) -> None:
    refused = put(copies, 1)
    put(copies, 2)
    server.plan = {stage: ["554 5.7.1 not this one"]}
    assert lmtp.handle([]) is True
    assert (copies.names("new"), copies.names("cur")) == ([], [f"{refused}:2,F"])
    assert [each.ident for each in server.accepted()] == [ident(2)]
    assert logged == [f'archive-refused file={refused} reply="554 5.7.1 not this one"']


def test_a_server_that_closes_behind_a_refusal(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies
) -> None:
    refused = put(copies, 1)
    put(copies, 2)
    server.plan = {says.DOT: ["554 5.7.1 not this one"], says.RSET: [CLOSE]}
    assert lmtp.handle([]) is True
    assert copies.names("cur") == [f"{refused}:2,F"]
    assert lmtp.handle([]) is True
    assert [each.ident for each in server.accepted()] == [ident(2)]


@pytest.mark.parametrize("stage", [says.GREETING, says.LHLO, says.MAIL, says.RCPT])
def test_a_server_that_wants_nobody_refuses_no_copy(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, stage: str
) -> None:
    """It may be one of SMTP, or not be for us, or not have the mailbox now: the copies wait."""
    put(copies, 1)
    server.plan = {stage: ["554 5.7.1 not you"]}
    with pytest.raises(Unavailable):
        lmtp.handle([])
    assert len(copies.names("new")) == 1


def test_nonsense(lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies) -> None:
    put(copies, 1)
    for stage in says.STAGES:
        server.plan = {stage: ["what?"]}
        with pytest.raises(Unavailable):
            lmtp.handle([])
        assert len(copies.names("new")) == 1
    server.plan = {}
    assert lmtp.handle([]) is True


def test_a_reply_too_many_is_none_to_the_next_copy(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies
) -> None:
    """Each reply is taken for one to the next command: DATA is answered before it is sent."""
    put(copies, 1)
    put(copies, 2)
    server.plan = {says.DOT: ["250 2.0.0 fine\r\n250 2.0.0 fine"]}
    with pytest.raises(Unavailable, match=r": 250 2\.0\.0 fine in reply to DATA$"):
        lmtp.handle([])
    assert (len(server.accepted()), len(copies.names("new"))) == (1, 1)
    assert lmtp.handle([]) is True
    assert [each.ident for each in server.accepted()] == [ident(1), ident(2)]


@pytest.mark.parametrize("stage", says.STAGES)
def test_a_reply_without_an_end(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, stage: str
) -> None:
    put(copies, 1)
    server.plan = {stage: ["\r\n".join(["250-" + "x" * 70] * 1000)]}
    with pytest.raises(Unavailable, match="a reply without an end"):
        lmtp.handle([])
    assert len(copies.names("new")) == 1
    server.plan = {}
    assert lmtp.handle([]) is True


@pytest.mark.parametrize("stage", [says.GREETING, says.MAIL, says.RCPT, says.DATA, says.DOT])
def test_a_long_reply_is_told_in_part(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, stage: str
) -> None:
    """The front takes no message of any length from a worker."""
    put(copies, 1)
    server.plan = {stage: ["\r\n".join(["451-" + "\x80" * 4000] * 90 + ["451 later"])]}
    with pytest.raises(Unavailable) as raised:
        lmtp.handle([])
    assert len(str(raised.value)) == module.SHOWN_MAX


# --- servers that are away, close, and hang -------------------------------------------------------


def test_a_server_that_is_away(lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies) -> None:
    put(copies, 1)
    server.away()
    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        lmtp.handle([])
    server.back()
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(1): 1}


def test_a_socket_that_is_away(copies: Copies, tmp_path: Path) -> None:
    put(copies, 1)
    made = worker(ScriptedLmtp(tmp_path / "lmtp"), copies)
    with pytest.raises(Unavailable, match="No such file"):
        made.handle([])


@pytest.mark.parametrize("stage", says.STAGES)
def test_a_server_that_closes(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, stage: str
) -> None:
    """Behind the message, it may have accepted it: it comes again, with the same id."""
    put(copies, 1)
    server.plan = {stage: [CLOSE]}
    with pytest.raises(Unavailable, match="SMTPServerDisconnected"):
        lmtp.handle([])
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(1): 2 if stage == says.DOT else 1}
    assert copies.names("new") == []


@pytest.mark.parametrize("stage", says.STAGES)
def test_a_server_that_hangs(
    lmtp: LmtpWorker,
    server: ScriptedLmtp,
    copies: Copies,
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PATIENCE", "PATIENCE_AT_END"):
        monkeypatch.setattr(module, name, 0.2)
    put(copies, 1)
    server.plan = {stage: [HANG]}
    with pytest.raises(Unavailable):
        lmtp.handle([])
    assert len(copies.names("new")) == 1
    monkeypatch.undo()
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(1): 2 if stage == says.DOT else 1}


def test_a_server_may_take_its_time_behind_a_message(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To give up would make it deliver the message twice, again and again."""
    waits: list[object] = []
    data = smtplib.LMTP.data

    def noted(connection: smtplib.LMTP, msg: bytes) -> tuple[int, bytes]:
        assert connection.sock is not None
        waits.append(connection.sock.gettimeout())
        return data(connection, msg)

    monkeypatch.setattr(smtplib.LMTP, "data", noted)
    put(copies, 1)
    assert lmtp.handle([]) is True
    assert waits == [600.0]


# --- others at the same folder --------------------------------------------------------------------


def test_another_one_hands_on_meanwhile(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies
) -> None:
    put(copies, 1)
    server.plan = {says.DOT: [HANG]}
    failed: list[Unavailable] = []

    def first() -> None:
        try:
            worker(server, copies).handle([])
        except Unavailable as error:
            failed.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    until(lambda: server.waiting == 1)
    assert lmtp.handle([]) is False
    server.release()
    thread.join()
    assert len(failed) == 1
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(1): 2}


def test_a_copy_that_somebody_has_taken(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        put(copies, number)
    real = ArchiveMaildir.accepted

    def taken(maildir: ArchiveMaildir) -> list[str]:
        found = real(maildir)
        Path(found[0]).unlink()
        return found

    monkeypatch.setattr(ArchiveMaildir, "accepted", taken)
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(2): 1}


# --- one copy must not keep others waiting --------------------------------------------------------


def test_copies_that_are_refused_for_now_come_last(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    for number in (1, 2, 3):
        put(copies, number)
    server.plan = {says.RCPT: ["451 4.3.0 not now"] * 2}
    with pytest.raises(Unavailable, match=r"451 4\.3\.0 not now"):
        lmtp.handle([])
    server.plan = {says.RCPT: [says.OK, "451 4.3.0 not now"]}
    with pytest.raises(Unavailable):
        lmtp.handle([])
    assert server.idents() == {ident(3): 1}
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(number): 1 for number in (1, 2, 3)}


def test_a_server_is_away_that_takes_none(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it takes one, all the others are tried."""
    monkeypatch.setattr(module, "REFUSED_MAX", 2)
    for number in (1, 2, 3, 4):
        put(copies, number)
    server.plan = {says.RCPT: ["451 x"] * 9}
    with pytest.raises(Unavailable):
        lmtp.handle([])
    assert len(server.plan[says.RCPT]) == 7
    server.plan = {says.RCPT: [says.OK, *["451 x"] * 3]}
    with pytest.raises(Unavailable):
        lmtp.handle([])
    assert server.plan[says.RCPT] == []


def test_a_file_that_cannot_be_read(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [put(copies, number) for number in (1, 2)]
    real = open

    def refused(path: str, *arguments: object) -> object:
        if path.endswith(names[0]):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments)  # type: ignore[call-overload]  # as it came

    monkeypatch.setattr(module, "open", refused, raising=False)
    assert lmtp.handle([]) is True
    assert server.idents() == {ident(2): 1}
    assert copies.names("new") == [names[0]]


@pytest.mark.parametrize("amid", [True, False])
def test_a_copy_for_which_there_is_no_memory_keeps_no_others(
    lmtp: LmtpWorker,
    server: ScriptedLmtp,
    copies: Copies,
    monkeypatch: pytest.MonkeyPatch,
    amid: bool,
) -> None:
    large = put(copies, 1, body=BODY + b"large\n")
    put(copies, 2)
    real = module._Server.data

    def fail(connection: module._Server, msg: bytes) -> tuple[int, bytes]:
        if b"large" not in msg:
            return real(connection, msg)
        if amid:
            connection.docmd("data")
        raise MemoryError

    monkeypatch.setattr(module._Server, "data", fail)
    for _ in range(3):
        with pytest.raises(Unavailable, match=rf"^no memory for {large}$"):
            lmtp.handle([])
    assert server.idents() == {ident(2): 1}
    assert copies.names("new") == [large]


@pytest.mark.parametrize(
    "text",
    [b"", b"Subject: x\n\nX-Envelope-From: <a\n>\n", b"a\nb\nX-Envelope-From: <a\rb>\n\nx\n"],
)
def test_a_file_that_is_no_copy(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies, text: bytes
) -> None:
    (copies.path / "new" / "1.foreign").write_bytes(text)
    assert lmtp.handle([]) is True
    (taken,) = server.accepted()
    assert taken.sender.startswith(b"<> ")
    assert b"\r" not in taken.message.replace(b"\r\n", b"")


def test_success_of_another_number_is_success(
    lmtp: LmtpWorker, server: ScriptedLmtp, copies: Copies
) -> None:
    put(copies, 1)
    server.plan = {says.DOT: ["251 2.0.0 fine"], says.QUIT: ["500 5.5.1 bye"]}
    assert lmtp.handle([]) is True
    assert copies.names("new") == copies.names("cur") == []
