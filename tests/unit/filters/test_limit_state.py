"""filter-limit: its files, its state, and what it is told at its start."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.errors import ConfigError
from opensmtpd.testing import Outcome, run_message
from opensmtpd_filters.limit import TOGETHER, Limit, parser
from unit.support.child import Child
from unit.support.limit_stage import STOPPED, accepted, rejected, stage, too_many, write
from unit.support.talk import M, T, data, report, request, result
from unit.support.workers import processes

REJECTED = rejected("messages")


def make(path: Path, *words: str) -> Limit:
    """Return the filter, with a worker of its own."""
    return Limit(parser().parse_args([*words, str(path)]))


def send(filter: Limit, **about: Any) -> Outcome:
    return run_message(filter, **{"username": b"Bob", **about})


# --- a worker of its own --------------------------------------------------------------------------


def test_a_state_in_memory(tmp_path: Path) -> None:
    path = write(tmp_path, "user messages 1/1h reject")
    filter = make(path)
    assert send(filter).accepted
    assert send(filter).reply == REJECTED
    assert send(filter).decisions[-1] == ("mail-from", b"reject|" + REJECTED)
    assert send(filter, username=b"alice").accepted
    filter.stop()
    filter = make(path)  # another one knows nothing
    assert send(filter).accepted
    filter.stop()


def test_a_state_in_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, "user messages 1/1h reject\nuser recipients 3/1d stop")
    state = str(tmp_path / "state.db")
    filter = make(path, "--state", state)
    assert send(filter).accepted
    assert send(filter, recipients=[b"a@example.com"] * 3).reply == STOPPED
    filter.stop()
    filter = make(path, f"--state={state}")
    found = send(filter)
    assert found.decisions[-1] == ("mail-from", b"reject|" + STOPPED)
    assert found.log[0].startswith("9e3779b97f4a7c15 limit-stopped user=bob left=86")
    filter.stop()
    with pytest.raises(ConfigError, match="no folder for the state"):
        make(path, f"--state={tmp_path}/none/state.db")


def test_a_paced_message_waits(tmp_path: Path) -> None:
    filter = make(write(tmp_path, "user messages 5/1s pace"))
    assert send(filter).accepted
    begin = time.monotonic()
    found = send(filter)
    assert found.accepted
    if found.log:  # it has to wait, unless the machine took longer than that to send it
        assert found.log[0].startswith("9e3779b97f4a7c15 limit-pace wait=0.")
        assert time.monotonic() - begin >= float(found.log[0].partition("=")[2])
    filter.stop()


def test_a_worker_that_dies(tmp_path: Path) -> None:
    """Then all passes, and its successor begins anew."""
    filter = make(write(tmp_path, "user messages 1/1h reject\nuser recipients 9/1h stop"))
    assert send(filter).accepted
    for pid in processes(filter.state._pool)[2:]:
        os.kill(pid, signal.SIGKILL)
    assert send(filter).accepted
    filter.stop()


# --- a state that is away -------------------------------------------------------------------------

EACH = "".join(
    f"{whose} {unit} 1{'K' * (unit == 'bytes')}/1h {action}\n"
    for whose in ("user", "address", "network", "sender", "sender-domain", "recipient-domain")
    for unit, action in (("messages", "reject"), ("recipients", "defer"), ("bytes", "reject"))
)


def test_what_is_not_known_passes(tmp_path: Path, logged: list[str]) -> None:
    with stage(tmp_path, f"{EACH}user messages 1/2h stop") as mta:
        mta.state.away = True
        client = mta.come(b"bob")
        for _ in range(3):
            assert mta.fate(client, b"a@example.com", b"b@example.com") == "accepted"
        assert (mta.waits, logged) == ([], [])
        mta.state.away = False
        assert len(mta.state.steps) > 3 * len(EACH.splitlines())
        # What passed meanwhile was not counted.
        assert mta.say(client.mail)[:1] == b"2"
        assert mta.say(client.rcpt)[:1] == b"2"
        assert mta.say(client.rcpt) == too_many("recipients", 3600)


def test_a_message_to_many_domains(tmp_path: Path) -> None:
    """Its steps are not asked all at once: those that wait for long would end the limits."""
    with stage(tmp_path, "recipient-domain messages 1/1h reject") as mta:
        take = mta.state._take
        open_: list[Deferred[Any]] = []
        most = 0

        def later(step: list[Any], read: Callable[[Any], Any]) -> Deferred[Any]:
            nonlocal most
            result: Deferred[Any] = Deferred()
            open_.append(result)
            most = max(most, len(open_))

            def end() -> None:
                open_.remove(result)
                take(step, read).on_end(lambda value, _: result.settle(value))

            asyncio.get_running_loop().call_soon(end)
            return result

        to = [b"alice@%d.example" % number for number in range(40)]
        with patch.object(mta.state, "_take", later):
            assert mta.fate(mta.come(), *to) == "accepted"
        assert len(mta.state.steps) == len(to)
        assert most == TOGETHER < len(to)
        assert mta.fate(mta.come(), to[-1]) == "550 5.7.1 Too many messages"


def test_what_is_foreseen_is_refused_without_the_state(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 1/1h") as mta:
        client = mta.come(b"bob")
        mta.mail(client)
        mta.mail(client)
        mta.state.away = True
        assert mta.say(client.mail) == too_many("messages", 3600)
        mta.pass_time(3600)
        assert mta.fate(client) == "accepted"


# --- new rules ------------------------------------------------------------------------------------


def test_a_rule_that_stays_counts_on(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 2/1h reject") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        mta.path.write_text("sender bytes 9M/1h\n# A comment.\nuser  messages 2/1h reject # again")
        mta.hang_up()
        assert mta.fate(client) == "accepted"
        assert mta.mail(client) == REJECTED


def test_another_action_changes_no_count(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 2/1h reject") as mta:
        client = mta.come(b"bob")
        assert [mta.fate(client) for _ in range(3)][:2] == ["accepted"] * 2
        mta.path.write_text("user messages 2/1h")
        mta.hang_up()
        assert mta.mail(client) == too_many("messages", 1800)


def test_a_user_who_has_a_rule_of_his_own_now_counts_on(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 2/1h reject") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        mta.path.write_text("user bob messages 2/1h reject")
        mta.hang_up()
        assert [mta.fate(client) for _ in range(2)] == ["accepted", REJECTED.decode()]
        assert mta.fate(mta.come(b"alice")) == "accepted"


@pytest.mark.parametrize("rule", ["user messages 3/1h", "user messages 2/1h burst 3"])
def test_another_rate_begins_anew(tmp_path: Path, rule: str) -> None:
    with stage(tmp_path, "user messages 2/1h") as mta:
        client = mta.come(b"bob")
        found = [mta.fate(client) for _ in range(3)]
        assert found[2].startswith("450 ")
        assert mta.say(client.mail)[:3] == b"450"
        mta.path.write_text(rule)
        mta.hang_up()
        found = [mta.fate(client) for _ in range(4)]
        assert found[:3] == ["accepted"] * 3
        assert found[3].startswith("450 ")


def test_a_name_that_is_unlimited_now(tmp_path: Path) -> None:
    rules = "user messages 1/1h"
    with stage(tmp_path, rules) as mta:
        client = mta.come(b"bob")
        mta.fate(client)
        mta.fate(client)
        assert mta.say(client.mail) == too_many("messages", 3600)
        mta.path.write_text(f"{rules}\nuser bob messages unlimited")
        mta.hang_up()
        assert [mta.fate(client) for _ in range(3)] == ["accepted"] * 3


def test_a_message_amid_which_bytes_begin_to_count(tmp_path: Path) -> None:
    """It was not counted, and costs nothing."""
    with stage(tmp_path, "user messages 9/1h") as mta:
        client = mta.come(b"bob")
        mta.say(client.mail)
        mta.say(client.rcpt)
        mta.say(client.data)
        mta.path.write_text("user bytes 100/1h")
        mta.hang_up()
        assert accepted(mta.end(client))
        assert mta.fate(client) == "552 5.3.4 Larger than all that may be sent at once"


def test_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    with stage(tmp_path, "user messages 2/1h reject") as mta:
        client = mta.come(b"bob")
        assert mta.fate(client) == "accepted"
        for text in ("user messages many", "", "\xff"):
            mta.path.write_text(text)
            with pytest.raises(ConfigError, match=r"limits(:1)?: "):
                mta.hang_up()
        mta.path.unlink()
        with pytest.raises(ConfigError, match="No such file"):
            mta.hang_up()
        assert [mta.fate(client) for _ in range(2)] == ["accepted", REJECTED.decode()]


# --- the command line -----------------------------------------------------------------------------


def test_defaults() -> None:
    flags = parser().parse_args(["/etc/mail/limits"])
    assert (flags.rules, flags.state, flags.deadline) == ("/etc/mail/limits", None, 240.0)
    assert (flags.network4, flags.network6) == (24, 64)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "filter-limit: the following arguments are required: FILE"),
        (["a", "b"], "filter-limit: unrecognized arguments: b; remove them"),
        (["--netwrk4=24", "a"], "filter-limit: there is no option --netwrk4; did you mean"
         " --network4?"),
        (["--network4=33", "a"], "filter-limit: argument --network4: '33' is not a number from 1 to"
         " 32"),
        (["--deadline=0", "a"], "filter-limit: argument --deadline: '0' is not a number of seconds"
         " above 0"),
    ],
)  # fmt: skip
def test_bad_words(words: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(words)
    assert capsys.readouterr().err == error + "\n"


def test_a_bad_file_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"limits:1: 'x' does not say for whom"):
        make(write(tmp_path, "x"))
    with pytest.raises(ConfigError, match="--state names no file, and no server"):
        make(write(tmp_path, "user messages 1/1h"), "--state=state.db")


# --- a process ------------------------------------------------------------------------------------

PROGRAM = "from opensmtpd_filters.limit import main\nmain()\n"
OTHER = b"1718c5e591926d29"
THIRD = b"1718c5e591926d2a"
PROCEED = b"proceed"


def connected(session: bytes) -> bytes:
    return b"".join(
        [
            report(b"link-connect", b"mx", b"pass", b"192.0.2.5:4711", b"192.0.2.1:25",
                   session=session),
            report(b"link-identify", b"EHLO", b"mx.remote.example", session=session),
            report(b"link-auth", b"pass", b"Bob", session=session),
        ]
    )  # fmt: skip


def mail(session: bytes, recipients: int = 1) -> bytes:
    """Return all up to the commit of a message."""
    return b"".join(
        [
            report(b"tx-mail", b"0123abcd", b"ok", b"bob@example.org", session=session),
            report(b"tx-rcpt", b"0123abcd", b"ok", b"a@example.com", session=session) * recipients,
            data(b"Subject: x", b"", b"text", b".", session=session),
            request(b"commit", session=session),
        ]
    )


def dots(session: bytes) -> bytes:
    return b"filter-dataline|%s|%s|.\n" % (session, M)


def decision(session: bytes, answer: bytes = PROCEED) -> bytes:
    return result(answer, session=session, token=T)


def two_messages(child: Child) -> None:
    """Send a message that has its answer, and one that waits."""
    for session in (OTHER, THIRD):
        child.send(connected(session), mail(session))
    # The answer may come before the lines of the other message.
    said = {child.until(b"\n") for _ in range(2 * 4 + 1)}
    assert {dots(OTHER), dots(THIRD), decision(OTHER)} <= said
    assert " limit-pace wait=" in child.log()


def test_a_process_with_a_message_that_waits(tmp_path: Path) -> None:
    path = write(tmp_path, "user recipients 1/1s pace")
    with Child(tmp_path, PROGRAM, str(path), main="") as child:
        child.hello()
        child.send(connected(OTHER), connected(THIRD), mail(THIRD, 3))
        child.until(dots(THIRD))
        assert child.log() == f"{THIRD.decode()} limit-pace wait=2.000"
        child.send(request(b"mail-from", b"<bob@example.org>", session=OTHER))
        # The other one need not wait; on a machine that stood still, it may be the second.
        assert sorted(child.lines(2)) == [decision(OTHER), decision(THIRD)]
        status, rest, log = child.end()
    assert (status, rest, log) == (0, b"", "")


def test_a_process_whose_message_waits_for_a_client_that_is_gone(tmp_path: Path) -> None:
    path = write(tmp_path, "user messages 1/100s pace")
    with Child(tmp_path, PROGRAM, str(path), main="") as child:
        child.hello()
        two_messages(child)
        child.send(report(b"link-disconnect", session=THIRD))
        child.send(request(b"mail-from", b"<bob@example.org>", session=OTHER))
        assert child.until(b"\n") == decision(OTHER)
        status, rest, log = child.end()
    # It does not wait for what nobody waits for, and no answer is written.
    assert (status, rest, log) == (0, b"", "")


def test_a_process_that_ends_while_messages_wait(tmp_path: Path) -> None:
    path = write(tmp_path, "user messages 1/100s pace")
    with Child(tmp_path, PROGRAM, str(path), main="") as child:
        child.hello()
        two_messages(child)
        status, rest, _ = child.end()
    assert (status, rest) == (0, b"")


def test_a_process_that_reads_its_rules_again(tmp_path: Path) -> None:
    path = write(tmp_path, "user messages 9/1h")
    with Child(tmp_path, PROGRAM, str(path), main="") as child:
        child.hello()
        child.send(connected(OTHER))
        path.write_text("user messages none")
        child.hang_up()
        assert "limits:1: 'none' is not a rate such as 200/1h" in child.log()
        path.write_text("user messages 1/1h reject")
        child.hang_up()
        assert "reloaded" in child.log()
        for answer in (PROCEED, b"reject|" + REJECTED):
            child.send(mail(OTHER), report(b"tx-reset", b"0123abcd", session=OTHER))
            child.until(dots(OTHER))
            assert child.until(b"\n") == decision(OTHER, answer)
        assert child.log() == (
            f"{OTHER.decode()} limit-exceeded address=192.0.2.5 user=Bob whose=user name=bob"
            ' limit="messages 1/1h" action=reject'
        )
        assert child.end()[0] == 0


def test_a_check_of_the_rules(tmp_path: Path) -> None:
    path = write(tmp_path, "user messages 9/1h\nuser bytes much/1h")
    with Child(tmp_path, PROGRAM, "-n", str(path), main="") as child:
        status, _, log = child.wait()
    assert status != 0
    assert f"{path}:2: 'much' is not a number above 0, such as 20 or 10M; write: WHOSE" in log
    path.write_text("user messages 9/1h")
    state = tmp_path / "state.db"
    with Child(tmp_path, PROGRAM, "-n", f"--state={state}", str(path), main="") as child:
        assert child.wait()[0] == 0
    assert not state.exists()
