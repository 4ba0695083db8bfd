"""The protocol: handshake, field orders, requests, and lines that make no sense."""

import re
from typing import Any

import pytest

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd.errors import LocalError, VersionError
from opensmtpd.filter import JUNK, PROCEED, Disconnect, Filter, Reject, Rewrite, Session, events
from unit.support.handlers import BOTH, CONNECT, CUTS, DISCONNECT, OTHER, Answers, later
from unit.support.talk import HELLO, Talk, report, request, result

# --- handshake ------------------------------------------------------------------------------------


@CUTS
def test_the_handshake(size: int) -> None:
    class Some(Filter):
        uses = ("fcrdns",)

        def on_helo(self, session: Session, request: events.Helo) -> Any:
            return PROCEED

        def on_message(self, session: Session) -> None:
            return None

    talk = Talk(Some(), hello=b"config|")
    assert talk.protocol.ready is False
    assert talk.say(HELLO.removeprefix(b"config|"), size=size) == (
        b"register|report|smtp-in|link-connect\n"
        b"register|report|smtp-in|link-disconnect\n"
        b"register|report|smtp-in|tx-reset\n"
        b"register|filter|smtp-in|helo\n"
        b"register|filter|smtp-in|ehlo\n"
        b"register|filter|smtp-in|data-line\n"
        b"register|filter|smtp-in|commit\n"
        b"register|ready\n"
    )
    assert talk.protocol.ready is True
    assert talk.say(b"config|ready\n") == b""
    assert talk.logged == ['line-ignored reason="a config line behind config|ready"']


def test_a_silent_handshake() -> None:
    """Smtpd 6.8 names no protocol; the events do."""
    hello = (
        b"config|smtpd-version|6.8.0p2\nconfig|smtp-session-timeout|300\n"
        b"config|subsystem|smtp-in\nconfig|admd|vm\nconfig|ready\n"
    )
    talk = Talk(Uses(), hello=hello)
    assert talk.registered.endswith(b"register|ready\n")
    talk.say(report(b"tx-mail", b"018a64ac", b"ok", b"a@b", version=b"0.6"))
    talk.say(report(b"link-auth", b"alice", b"pass", version=b"0.6"))
    assert Uses.seen() == (b"a@b", b"alice")


def test_unknown_configuration_is_skipped() -> None:
    talk = Talk(Filter(), hello=b"config|colour|blue\nconfig|empty\nconfig|\n" + HELLO)
    assert talk.registered == b"register|report|smtp-in|link-disconnect\nregister|ready\n"
    assert talk.logged == []


def test_a_protocol_too_old_is_told_before_ready() -> None:
    protocol = FilterConnection(Filter())
    with pytest.raises(VersionError, match=r"filter protocol 0\.4 is older than 0\.5"):
        protocol.receive(b"config|protocol|0.4\n", 0.0)


def test_a_protocol_too_old_is_ignored_afterwards() -> None:
    talk = Talk(Answers(lambda: PROCEED))
    assert talk.say(request(b"noop", version=b"0.4")) == b""
    assert talk.logged == [
        'line-ignored reason="filter protocol 0.4 is older than 0.5 and not spoken"'
    ]
    assert talk.say(request(b"noop")) == result(b"proceed")


def test_a_filter_that_uses_what_sessions_have_not() -> None:
    class Wrong(Filter):
        uses = ("rdsn",)  # type: ignore[assignment]

    with pytest.raises(LocalError):
        FilterConnection(Wrong())


@pytest.mark.parametrize(
    ("timeout", "deadline"),
    [(b"300", 60.0), (b"50", 40.0), (b"10", 8.0), (b"0", 1.0), (b"x", 60.0), (b"", 60.0)],
)
def test_the_deadline_is_within_smtpds_own(timeout: bytes, deadline: float) -> None:
    hello = b"config|protocol|0.7\nconfig|smtp-session-timeout|%s\nconfig|ready\n" % timeout
    talk = Talk(Answers(lambda: later(lambda: PROCEED)), hello=hello)
    talk.say(CONNECT, now=100.0)
    assert talk.protocol.dispatcher.next_deadline() == 100.0 + deadline
    talk.say(DISCONNECT)


# --- the orders of the fields ---------------------------------------------------------------------


class Uses(Filter):
    uses = ("sender", "username")
    last: Session

    def on_link_auth(self, session: Session, report: events.LinkAuth) -> None:
        Uses.last = session

    @classmethod
    def seen(cls) -> tuple[object, object]:
        return cls.last.sender, cls.last.username


@CUTS
@pytest.mark.parametrize(
    ("version", "mail", "auth"),
    [
        (b"0.5", (b"018a64ac", b"a|b@c", b"ok"), (b"alice", b"pass")),
        (b"0.6", (b"018a64ac", b"ok", b"a|b@c"), (b"alice", b"pass")),
        (b"0.7", (b"018a64ac", b"ok", b"a|b@c"), (b"pass", b"alice")),
        (b"0.10", (b"018a64ac", b"ok", b"a|b@c"), (b"pass", b"alice")),
    ],
)
def test_field_orders(
    version: bytes, mail: tuple[bytes, ...], auth: tuple[bytes, ...], size: int
) -> None:
    talk = Talk(Uses(), hello=HELLO.replace(b"0.7", version))
    talk.say(
        report(b"tx-mail", *mail, version=version),
        report(b"link-auth", *auth, version=version),
        size=size,
    )
    assert Uses.seen() == (b"a|b@c", b"alice")
    assert talk.logged == []


# --- requests -------------------------------------------------------------------------------------

PHASES: list[tuple[bytes, bytes, events.FilterRequest]] = [
    (b"connect", b"localhost|127.0.0.1", events.Connect(1.5, b"localhost", b"127.0.0.1")),
    (b"helo", b"c1", events.Helo(1.5, b"c1", "HELO")),
    (b"ehlo", b"c1", events.Helo(1.5, b"c1", "EHLO")),
    (b"starttls", b"", events.StartTLS(1.5)),
    (b"auth", b"PLAIN AGEAYg==", events.Auth(1.5, b"PLAIN AGEAYg==")),
    (b"mail-from", b"a|b@c", events.MailFrom(1.5, b"a|b@c")),
    (b"rcpt-to", b"d@e", events.RcptTo(1.5, b"d@e")),
    (b"data", b"", events.Data(1.5)),
    (b"commit", b"", events.Commit(1.5)),
    (b"rset", b"", events.Rset(1.5)),
    (b"quit", b"", events.Quit(1.5)),
    (b"noop", b"", events.Noop(1.5)),
    (b"help", b"", events.Help(1.5)),
]


@CUTS
@pytest.mark.parametrize(("phase", "fields", "asked"), PHASES)
def test_each_phase(phase: bytes, fields: bytes, asked: events.FilterRequest, size: int) -> None:
    some = Answers(lambda: Reject(550, "5.7.1 No"))
    talk = Talk(some)
    answer = talk.say(request(phase, fields, time=b"1.5"), size=size)
    assert answer == result(b"reject|550 5.7.1 No")
    assert some.asked == [asked]


@pytest.mark.parametrize(
    ("phase", "decision", "answer"),
    [
        (b"data", PROCEED, b"proceed"),
        (b"data", JUNK, b"junk"),
        (b"data", Disconnect(421, "4.7.0 Go"), b"disconnect|421 4.7.0 Go"),
        (b"ehlo", Rewrite(b"mx"), b"rewrite|mx"),
        (b"mail-from", Rewrite(b"a@b"), b"rewrite|<a@b>"),
    ],
)
def test_each_decision(phase: bytes, decision: object, answer: bytes) -> None:
    assert Talk(Answers(lambda: decision)).say(request(phase, b"x")) == result(answer)


def test_a_phase_without_a_handler_proceeds() -> None:
    assert Talk(Filter()).say(request(b"commit")) == result(b"proceed")


def test_an_answer_goes_to_its_session_and_token() -> None:
    talk = Talk(Answers(lambda: PROCEED))
    assert talk.say(
        request(b"noop", token=b"1f08301bf13c4c20"), request(b"noop", session=OTHER)
    ) == (
        b"filter-result|1718c5e591926d28|1f08301bf13c4c20|proceed\n"
        b"filter-result|1718c5e887ba5b41|1f08301bf13c4c1f|proceed\n"
    )


def test_two_tokens_in_one_session_have_their_own_answers() -> None:
    talk = Talk(Answers(lambda: later(lambda: PROCEED)))
    talk.say(request(b"noop", token=b"1f08301bf13c4c20"), request(b"noop"))
    first, second = talk.protocol.dispatcher.take_jobs()
    assert talk.finish(second) == b"filter-result|1718c5e591926d28|1f08301bf13c4c1f|proceed\n"
    assert talk.finish(first) == b"filter-result|1718c5e591926d28|1f08301bf13c4c20|proceed\n"


# --- lines that are not understood ----------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"report\n",
        b"filter|\n",
        report(b"timeout", time=b"x"),
        b"filter|0.7|1.0|smtp-in|connect|1718c5e591926d28\n",
        b"filter|0.7|1.0|smtp-in|connect||1f08301bf13c4c1f|a|b\n",
        b"filter|0.7|1.0|smtp-in|connect|1718c5e591926d28||a|b\n",
        b"filter|x|1.0|smtp-in|noop|1718c5e591926d28|1f08301bf13c4c1f|\n",
        b"filter|0.7|1.0|smtp-in|noop|1718c5e591926d28|-|\n",
        b"filter|0.7|1.0|smtp-in|noop|no session|1f08301bf13c4c1f|\n",
        b"\xff\0\r\n",
        report(b"no-such-event", b"x"),
        report(b"tx-mail", b"018a64ac"),
        request(b"wiz"),
    ],
)
def test_a_line_that_is_not_understood_is_logged_and_skipped(line: bytes) -> None:
    class Some(Answers):
        uses = ("sender",)

        def on_timeout(self, session: Session, report: Any) -> None:
            raise AssertionError("not understood, and heard all the same")

    talk = Talk(Some(lambda: PROCEED))
    assert talk.say(line) == b""
    assert len(talk.logged) == 1
    assert re.fullmatch(r'line-ignored reason=("[ -~]+"|[!-~]+)', talk.logged[0])
    assert talk.say(request(b"noop"), DISCONNECT) == result(b"proceed")
    assert talk.protocol.session_count == 0


def test_a_report_that_nobody_wants_is_not_even_read() -> None:
    talk = Talk(Filter())
    assert talk.say(report(b"tx-mail", b"018a64ac"), report(b"tx-commit", b"1", b"x")) == b""
    assert talk.logged == []


@BOTH
def test_a_request_without_a_time_is_answered_too(policy: Policy, failure: bytes) -> None:
    talk = Talk(Answers(lambda: PROCEED), on_failure=policy)
    assert talk.say(request(b"noop", time=b"now")) == result(failure)
    assert Talk(Filter()).say(request(b"noop", time=b"now")) == result(b"proceed")


def test_fields_that_a_later_smtpd_appends_are_skipped() -> None:
    some = Answers(lambda: PROCEED)
    talk = Talk(some)
    assert talk.say(request(b"data", b"|new|newer", time=b"1.5")) == result(b"proceed")
    assert talk.say(report(b"tx-begin", b"018a64ac", b"new")) == b""
    assert some.asked == [events.Data(1.5)]
    assert talk.logged == []


def test_a_line_longer_than_any_of_smtpds() -> None:
    talk = Talk(Answers(lambda: PROCEED))
    assert talk.say(b"x" * 2_000_000 + b"\n", request(b"noop")) == result(b"proceed")
    assert talk.logged == ['line-ignored reason="longer than any of smtpd\'s"']
    talk.say(request(b"noop"))
    assert len(talk.logged) == 1
