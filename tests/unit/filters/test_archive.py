"""filter-archive: what becomes of a message, of its copy, and of both where a disk fails."""

import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from lab.peers.copies import Copies
from opensmtpd._protocol.filter import connection
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.answer import Deferred
from opensmtpd.errors import ConfigError, WorkerError
from opensmtpd.filter import Reject
from opensmtpd.mail.archive import orders
from opensmtpd.testing import run_message
from opensmtpd_filters import archive as module
from opensmtpd_filters.archive import Archive, parser
from unit.support.archive_mail import MESSAGE, Talk, kill, make, talk, watching, worker
from unit.support.processes import until

NOT_KEPT = b"451 4.3.0 Service unavailable, please try again later"
PREFIX = "9e3779b97f4a7c15 "
"""The model's first session, in front of a line of the log."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def copies(folder: Path) -> Copies:
    return Copies(folder)


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
def test_an_accepted_message_is_kept(folder: Path, copies: Copies, version: str) -> None:
    filter = make(folder)
    outcome = run_message(filter, MESSAGE, version=version, recipients=[b"a@b.example", b"c@d"])
    filter.stop()
    assert (outcome.accepted, outcome.log) == (True, ())
    assert outcome.message == outcome.received + MESSAGE
    copy = copies.one()
    assert copy.status == "accepted"
    assert (copy.sender, copy.recipients) == (b"bob@remote.example", [b"a@b.example", b"c@d"])
    assert copy.message == outcome.message
    assert copies.names("tmp") == copies.names("cur") == []


@pytest.mark.parametrize(
    "message",
    [
        b"", b"\n", b"Subject: x\n", b"\nbody\n", b"Subject: x\n\n", b"no field\n.\n..\n...\n",
        b"Subject: \xff\xfe\n\n\x80\x81\r\n\t\n", b"A: 1\n\n" + b"x" * 9000 + b"\n\n\n",
        b"X-Archive-Status: accepted\nX-Archive-Id: 1\nX-Envelope-To: <x@y>\n\nforged\n",
    ],
)  # fmt: skip
def test_a_copy_is_the_message(folder: Path, copies: Copies, message: bytes) -> None:
    filter = make(folder)
    outcome = run_message(filter, message, sender=b"")
    filter.stop()
    assert outcome.accepted
    copy = copies.one()
    assert (copy.message, copy.sender, copy.recipients) == (
        outcome.message,
        b"",
        [b"alice@example.com"],
    )


@pytest.mark.parametrize("part", [1 << 10, 1 << 18])
def test_a_large_message(
    folder: Path, copies: Copies, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART", part)
    message = b"Subject: x\n\n" + b".dot\n" * 50 + b"x" * 60_000 + b"\n" + b"line\n" * 50_000
    filter = make(folder)
    outcome = run_message(filter, message)
    filter.stop()
    assert outcome.accepted
    assert copies.one().message == outcome.message


def test_each_message_of_a_session_has_a_copy(folder: Path, copies: Copies) -> None:
    with talk(folder) as mta:
        for _ in range(2):
            client = mta.greeted()
            for _ in range(3):
                assert mta.mail(client).startswith(b"250")
        msgids = [each.msgid for client in mta.smtpd.clients for each in client.transactions]
    found = copies.take(6)
    assert sorted(each.msgid for each in found) == sorted(msgids)
    assert len({each.path.name for each in found}) == 6
    assert {each.status for each in found} == {"accepted"}


def test_a_recipient_that_smtpd_refuses_is_not_in_the_envelope(
    folder: Path, copies: Copies
) -> None:
    with talk(folder) as mta:
        client = mta.greeted()
        recipients = (b"alice@example.com", b"not an address", b"carol@example.com")
        assert mta.mail(client, recipients=recipients).startswith(b"250")
    assert copies.one().recipients == [b"alice@example.com", b"carol@example.com"]


def test_a_copy_is_there_before_smtpd_has_the_message(folder: Path, copies: Copies) -> None:
    found: list[str] = []
    with talk(folder, kind=watching(lambda _: found.extend(copies.names("tmp")))) as mta:
        assert mta.mail(mta.greeted()).startswith(b"250")
    assert found == [copies.one().path.name]


def test_a_header_takes_no_memory(
    folder: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not edited: where the disk is slow, many messages wait at the same time."""
    monkeypatch.setattr(connection, "Budget", partial(Budget, reservable=0))
    with talk(folder) as mta:
        assert mta.mail(mta.greeted()).startswith(b"250")
    assert copies.one().status == "accepted"


# --- messages that are not accepted ---------------------------------------------------------------


def test_a_message_that_is_refused_behind_it(folder: Path, copies: Copies) -> None:
    with talk(folder, kind=watching(lambda _: Reject(550, "5.7.1 No"))) as mta:
        client = mta.greeted()
        assert mta.mail(client) == b"550 5.7.1 No"
        mta.done()
        assert copies.names("tmp") == []
        mta.say(client.rset)
        assert mta.mail(client) == b"550 5.7.1 No"
    assert copies.names("tmp") == copies.names("new") == []


@pytest.mark.parametrize("end", ["vanish", "time_out"])
@pytest.mark.parametrize("upto", ["mail", "rcpt", "data", "line"])
def test_a_client_that_goes(folder: Path, copies: Copies, upto: str, end: str) -> None:
    with talk(folder) as mta:
        client = mta.greeted()
        for step in ("mail", "rcpt", "data", "line"):
            mta.say(getattr(client, step), *([b"Subject: x"] if step == "line" else []))
            if step == upto:
                break
        mta.say(getattr(client, end))
        assert mta.filter.orders == {}
    assert copies.names("tmp") == copies.names("new") == []


def test_a_transaction_that_is_given_up(folder: Path, copies: Copies) -> None:
    with talk(folder) as mta:
        client = mta.greeted()
        mta.say(client.mail)
        mta.say(client.rset)
        assert mta.mail(client).startswith(b"250")
        mta.say(client.rset)
        mta.say(client.quit)
    assert copies.one().status == "accepted"
    assert copies.names("tmp") == []


# --- disks that fail ------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--fail", "open")])
def test_a_copy_that_cannot_be_written(
    folder: Path, copies: Copies, words: tuple[str, ...], logged: list[str]
) -> None:
    with talk(folder, *words) as mta:
        shutil.rmtree(folder / "tmp")
        client = mta.greeted()
        reply = mta.mail(client)
        assert reply.startswith(b"250") if words else reply == NOT_KEPT
        assert logged == [f'{PREFIX}archive-failed reason="No such file or directory"']
        mta.done()
        (folder / "tmp").mkdir()
        if not words:
            mta.say(client.rset)
        assert mta.mail(client).startswith(b"250")
        (copy,) = copies.take()
    assert (copy.status, copy.msgid) == ("accepted", client.transactions[-1].msgid)
    assert copies.names("tmp") == []


@pytest.mark.parametrize("words", [(), ("--fail", "open")])
def test_a_disk_that_is_full_amid_a_copy(
    folder: Path, copies: Copies, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has been written takes no room any more, whatever became of the message."""
    monkeypatch.setattr(module, "PART", 10)
    with talk(folder, *words) as mta:
        ask = mta.filter.pool.ask

        def fail(request: list[object]) -> Deferred[object]:
            if request[0] != orders.WRITE or request[2] == 0:
                return ask(request)
            assert [each[-5:] for each in copies.names("tmp")] == [".part"]
            failed: Deferred[object] = Deferred()
            failed.fail(WorkerError("No space left on device"))
            return failed

        monkeypatch.setattr(mta.filter.pool, "ask", fail)
        client = mta.greeted()
        assert mta.mail(client).startswith(b"250" if words else b"451")
        mta.done()
        assert copies.names("tmp") == copies.names("new") == []


@pytest.mark.parametrize("part", ["new", "tmp"])
def test_what_smtpd_has_decided_is_tried_again(
    folder: Path, copies: Copies, part: str, logged: list[str]
) -> None:
    """A copy is moved or dropped as soon as that can be done."""

    def hinder(_: Archive) -> Reject | None:
        (name,) = copies.names("tmp")
        if part == "new":
            (folder / "new").rename(folder / "away")
            return None
        (folder / "tmp" / f"{name}.part").mkdir()
        return Reject(550, "5.7.1 No")

    with talk(folder, kind=watching(hinder)) as mta:
        reply = mta.mail(mta.greeted())
        assert reply == b"550 5.7.1 No" if part == "tmp" else reply.startswith(b"250")
        (name,) = mta.filter.orders
        until(lambda: bool(logged) or not take(mta))
        assert logged[0].startswith(f"archive-late file={name} reason=")
        if part == "new":
            (folder / "away").rename(folder / "new")
        else:
            (folder / "tmp" / f"{name}.part").rmdir()
        mta.filter.try_again()
        mta.done()
        assert len(logged) == 1
        assert copies.names("tmp") == []
        assert copies.names("new") == ([name] if part == "new" else [])


@pytest.mark.parametrize("words", [(), ("--fail", "open")])
def test_a_disk_that_fails_for_long(
    folder: Path, copies: Copies, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be removed is kept in mind, and must not become more and more."""
    monkeypatch.setattr(module, "LATE_MAX", 2)
    with talk(folder, *words) as mta:
        (folder / "tmp").rename(folder / "away")
        (folder / "tmp").write_text("x")
        client = mta.greeted()
        for _ in range(4):
            assert mta.mail(client).startswith(b"250" if words else b"451")
            mta.say(client.rset)
        assert len(mta.filter.orders) == 2
        (folder / "tmp").unlink()
        (folder / "away").rename(folder / "tmp")
        mta.filter.try_again()
        mta.done()
        assert mta.mail(client).startswith(b"250")
    assert copies.one().status == "accepted"


def take(mta: Talk) -> bool:
    """Take what the workers have said."""
    mta.filter.pool._catch_up(0.01)
    return True


# --- workers that die -----------------------------------------------------------------------------


def test_a_worker_is_killed(folder: Path, copies: Copies) -> None:
    with talk(folder) as mta:
        client = mta.greeted()
        for _ in range(3):
            os.kill(worker(mta.filter), signal.SIGKILL)
            assert mta.mail(client).startswith(b"250")
            os.kill(worker(mta.filter), signal.SIGKILL)
        mta.done()
    assert {each.status for each in copies.take(3)} == {"accepted"}
    assert copies.names("new") == copies.names("tmp") == []


@pytest.mark.parametrize("words", [(), ("--fail", "open")])
def test_a_worker_that_hangs(
    folder: Path,
    copies: Copies,
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    logged: list[str],
) -> None:
    monkeypatch.setattr(module, "WRITE_WITHIN", 1.0)
    with talk(folder, *words) as mta:
        client = mta.greeted()
        os.kill(worker(mta.filter), signal.SIGSTOP)
        reply = mta.mail(client)
        assert reply.startswith(b"250") if words else reply == NOT_KEPT
        assert f'{PREFIX}archive-failed reason="no answer in time"' in logged
        mta.filter.pool._deadline = 60.0  # on a busy machine, too
        until(lambda: not mta.filter.pool._crew.restarting or not take(mta))
        mta.filter.try_again()
        mta.done()
        if not words:
            mta.say(client.rset)
        assert mta.mail(client).startswith(b"250")
    copy = copies.one()
    assert (copy.status, copy.msgid) == ("accepted", client.transactions[-1].msgid)


# --- the end, and the next start ------------------------------------------------------------------


def stop_worker(filter: Archive) -> None:
    """Stop the process that writes copies."""
    os.kill(worker(filter), signal.SIGSTOP)


def test_what_smtpd_has_decided_is_done_at_the_end(folder: Path, copies: Copies) -> None:
    with talk(folder, kind=watching(stop_worker)) as mta:
        assert mta.mail(mta.greeted()).startswith(b"250")
        assert copies.names("tmp") == list(mta.filter.orders)
        os.kill(worker(mta.filter), signal.SIGCONT)
    assert copies.one().status == "accepted"


@pytest.mark.parametrize("end", [stop_worker, kill])
def test_an_end_that_cannot_wait(
    folder: Path, copies: Copies, end: Callable[[Archive], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is found at the next start, and says that it may not have been accepted."""
    monkeypatch.setattr(module, "END_WITHIN", 0.1)
    with talk(folder, kind=watching(end)) as mta:
        assert mta.mail(mta.greeted()).startswith(b"250")
    (name,) = copies.names("tmp")
    until(lambda: recovered(folder) == 1)
    copy = copies.one()
    assert (copy.path.name, copy.status) == (name, "doubtful")
    assert recovered(folder) == 0


def recovered(folder: Path) -> int:
    """Start the filter, end it, and return the number of copies that others had left."""
    filter = make(folder)
    filter.stop()
    found: int = filter.pool.loaded
    return found


def test_copies_of_a_process_that_ends_later(
    folder: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """smtpd was killed and begun anew, and its filter is still about to end."""
    monkeypatch.setattr(module, "END_WITHIN", 0.1)
    with talk(folder) as later:
        with talk(folder, kind=watching(stop_worker)) as mta:
            mta.mail(mta.greeted())
            later.filter.try_again()
            until(lambda: not later.filter.pool._crew.size or not take(later))
            assert copies.names("new") == []
        until(lambda: bool(copies.names("new")) or not again(later))
    assert copies.one().status == "doubtful"


def again(mta: Talk) -> bool:
    mta.filter.try_again()
    return take(mta)


def test_two_filters_with_one_folder(folder: Path, copies: Copies) -> None:
    with talk(folder) as first, talk(folder) as second:
        for mta in (first, second):
            assert mta.mail(mta.greeted()).startswith(b"250")
            mta.filter.try_again()
    assert [each.status for each in copies.take(2)] == ["accepted"] * 2
    assert copies.names("tmp") == []


# --- options --------------------------------------------------------------------------------------


def test_what_holds_without_options() -> None:
    found = parser().parse_args(["/var/archive"])
    assert (found.maildir, found.fail, found.lmtp, found.lmtp_recipient, found.check) == (
        *("/var/archive", "tempfail", None, None, False),
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "the following arguments are required: MAILDIR"),
        ("--fail maybe /var/archive", "invalid choice: 'maybe'"),
        ("/var/archive /var/other", "unrecognized arguments: /var/other"),
    ],
)
def test_mistakes_are_told(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parser().parse_args(line.split())
    assert raised.value.code != 0
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--lmtp unix:/run/lmtp", "LMTP takes two options; name the server by --lmtp, and"),
        ("--lmtp-recipient a@b.example", "LMTP takes two options; "),
        (
            "--lmtp run/lmtp --lmtp-recipient a@b.example",
            "'run/lmtp' is no place of an LMTP server",
        ),
        ("--lmtp inet:24 --lmtp-recipient ä@b.example", "--lmtp-recipient is not ASCII; name an"),
    ],
)
def test_options_that_do_not_fit(folder: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make(folder, *line.split())
    assert str(raised.value).startswith(words)
    assert not folder.exists()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "none" / "archive"
    with pytest.raises(ConfigError, match=rf"^{path}: No such file or directory; make it a folder"):
        make(path)


def test_n_makes_nothing(folder: Path) -> None:
    make(folder, "-n").stop()
    assert not folder.exists()
    folder.write_text("x")
    with pytest.raises(ConfigError, match=rf"^{folder}: no folder for copies; make it a folder"):
        make(folder, "-n")


def test_n_leaves_what_others_have_left(folder: Path, copies: Copies) -> None:
    make(folder).stop()
    name = f"1700000000.M0000001fN1.{'b' * 12}"
    (folder / "tmp" / name).write_text("x")
    make(folder, "-n").stop()
    assert copies.names("tmp") == [name]


def test_it_needs_no_more_than_it_uses() -> None:
    assert Archive.uses == ("msgid", "sender", "recipients")
