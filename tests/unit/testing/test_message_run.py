import pytest

from opensmtpd import log as log_module
from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.answer import Offload
from opensmtpd.errors import DecisionError, Refused
from opensmtpd.filter import (
    JUNK,
    PROCEED,
    Connect,
    Decision,
    Disconnect,
    Filter,
    HeldMessage,
    Helo,
    MailFrom,
    PhaseDecision,
    RcptTo,
    Reject,
    Rewrite,
    Session,
    StreamedMessage,
)
from opensmtpd.log import log
from opensmtpd.testing import Driver, Smtpd, run_message
from unit.support.handlers import At, Kind, Messages, StreamAt, explode

MAIL = b"Subject: hi\n\n.dot\nhello\n"


class SelfHelo(Filter):
    """The filter of the README."""

    def __init__(self, names: frozenset[bytes]) -> None:
        self.names = names

    def on_helo(self, session: Session, request: Helo) -> Decision:
        if request.identity.lower() in self.names:
            return Reject(550, "5.7.1 You are not me")
        return PROCEED


def test_a_client_that_is_refused() -> None:
    outcome = run_message(SelfHelo(frozenset([b"mx.example.org"])), MAIL, helo=b"MX.example.org")
    assert outcome.decisions == (("ehlo", b"reject|550 5.7.1 You are not me"),)
    assert outcome.reply == b"550 5.7.1 You are not me"
    assert outcome.message == b""
    assert not outcome.accepted


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
def test_a_client_that_is_not(version: str) -> None:
    outcome = run_message(SelfHelo(frozenset([b"mx.example.org"])), MAIL, version=version)
    assert outcome.accepted
    assert outcome.decisions == (("ehlo", b"proceed"),)
    assert outcome.reply.startswith(b"250 2.0.0 ")
    assert outcome.message == outcome.received + MAIL
    assert outcome.received.startswith(
        b"Received: from client.example (client.example [192.0.2.5])\n"
    )
    assert outcome.received.count(b"\n") == 4
    assert outcome.log == ()


def test_what_the_client_is() -> None:
    seen: list[object] = []

    class Watch(Filter):
        uses = ("fcrdns", "source", "username", "tls", "sender", "recipients")

        def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
            seen.extend([request.rdns, request.address, session.fcrdns, session.source])
            return PROCEED

        def on_data(self, session: Session, request: object) -> PhaseDecision:
            seen.extend([session.username, session.tls, session.sender, session.recipients[:]])
            return PROCEED

    outcome = run_message(
        Watch(),
        rdns=b"<unknown>",
        fcrdns="error",
        source=b"[2001:db8::1]:999",
        username=b"alice",
        sender=b"",
        recipients=[b"a@example.com", b"b@example.com"],
    )
    assert seen == [
        b"<unknown>",
        b"[2001:db8::1]",
        "error",
        b"[2001:db8::1]:999",
        b"alice",
        b"TLSv1.3:TLS_AES_256_GCM_SHA384:256",
        b"",
        [b"a@example.com", b"b@example.com"],
    ]
    assert b"with ESMTPSA id" in outcome.received


def test_junk() -> None:
    class Suspicious(Filter):
        def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
            return JUNK

    outcome = run_message(Suspicious(), MAIL)
    assert outcome.junk
    assert outcome.accepted
    assert outcome.received.startswith(b"X-Spam: Yes\nReceived: ")


def test_disconnect_at_connect() -> None:
    class Closed(Filter):
        def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
            return Disconnect(421, "4.3.2 Closed")

    outcome = run_message(Closed())
    assert (outcome.reply, outcome.accepted) == (b"421 4.3.2 Closed", False)


def test_rewritten_envelope() -> None:
    class Change(Filter):
        def on_mail_from(self, session: Session, request: MailFrom) -> Decision:
            return Rewrite(b"new@example.org")

        def on_rcpt_to(self, session: Session, request: RcptTo) -> Decision:
            return Rewrite(b"other@example.org")

    outcome = run_message(Change())
    assert dict(outcome.decisions)["mail-from"] == b"rewrite|<new@example.org>"
    assert b"\tfor <other@example.org>;\n" in outcome.received
    assert outcome.accepted


def test_lines_in_front() -> None:
    class Front(HeldMessage):
        def end(self) -> Offload[list[bytes]]:
            return Offload(lambda: [b"X-Checked: yes"])

    class Checked(Filter):
        def on_message(self, session: Session) -> HeldMessage:
            return Front()

    outcome = run_message(Checked(), MAIL)
    assert outcome.message == b"X-Checked: yes\n" + outcome.received + MAIL
    assert outcome.decisions == (("commit", b"proceed"),)


def test_lines_changed() -> None:
    class Shout(StreamedMessage):
        def body(self, lines: list[bytes]) -> list[bytes]:
            return [line.upper() for line in lines]

    class Shouting(Filter):
        def on_message(self, session: Session) -> StreamedMessage:
            return Shout()

    outcome = run_message(Shouting(), MAIL)
    assert outcome.message == outcome.received + b"Subject: hi\n\n.DOT\nHELLO\n"


def test_a_refused_message() -> None:
    class Picky(HeldMessage):
        def body(self, lines: list[bytes]) -> None:
            raise Refused(Reject(550, "5.7.1 No bodies"))

    class Bodiless(Filter):
        def on_message(self, session: Session) -> HeldMessage:
            return Picky()

    outcome = run_message(Bodiless(), MAIL)
    assert outcome.reply == b"550 5.7.1 No bodies"
    assert not outcome.accepted


# --- recipients -----------------------------------------------------------------------------------


class Members(Filter):
    """Takes mail for two people."""

    uses = ("recipients",)
    seen: list[bytes]

    def on_rcpt_to(self, session: Session, request: RcptTo) -> Decision:
        if request.address in (b"alice@example.com", b"bob@example.com"):
            return PROCEED
        return Reject(550, "5.1.1 No " + request.address.decode())

    def on_data(self, session: Session, request: object) -> PhaseDecision:
        self.seen = session.recipients[:]
        return PROCEED


NO_X = b"reject|550 5.1.1 No x@example.com"


@pytest.mark.parametrize(
    ("recipients", "decisions"),
    [
        ("x alice", [NO_X, b"proceed"]),
        ("alice x", [b"proceed", NO_X]),
        ("x alice x bob", [NO_X, b"proceed", NO_X, b"proceed"]),
    ],
)
def test_the_others_are_tried_behind_a_refused_recipient(
    recipients: str, decisions: list[bytes]
) -> None:
    filter = Members()
    to = [name.encode() + b"@example.com" for name in recipients.split()]
    outcome = run_message(filter, MAIL, recipients=to)
    assert outcome.decisions == (
        *[("rcpt-to", decision) for decision in decisions],
        ("data", b"proceed"),
    )
    assert filter.seen == [one for one in to if one != b"x@example.com"]
    assert outcome.accepted
    assert outcome.message.endswith(MAIL)
    assert outcome.reply.startswith(b"250 2.0.0 ")


def test_nothing_is_sent_where_all_recipients_are_refused() -> None:
    outcome = run_message(Members(), MAIL, recipients=[b"x@example.com", b"y@example.com"])
    assert outcome.decisions == (
        ("rcpt-to", NO_X),
        ("rcpt-to", b"reject|550 5.1.1 No y@example.com"),
    )
    assert (outcome.accepted, outcome.message) == (False, b"")
    assert outcome.reply == b"550 5.1.1 No y@example.com"


def test_a_recipient_that_ends_the_session() -> None:
    class Final(Filter):
        def on_rcpt_to(self, session: Session, request: RcptTo) -> Decision:
            return Disconnect(421, "4.7.0 Enough")

    outcome = run_message(Final(), recipients=[b"a@example.com", b"b@example.com"])
    assert outcome.decisions == (("rcpt-to", b"disconnect|421 4.7.0 Enough"),)
    assert (outcome.accepted, outcome.reply) == (False, b"421 4.7.0 Enough")


def test_the_session_ends_where_anything_else_is_refused() -> None:
    class NoData(Members):
        def on_data(self, session: Session, request: object) -> PhaseDecision:
            return Reject(550, "5.7.1 No messages")

    outcome = run_message(NoData(), MAIL)
    assert outcome.decisions == (("rcpt-to", b"proceed"), ("data", b"reject|550 5.7.1 No messages"))
    assert (outcome.accepted, outcome.reply) == (False, b"550 5.7.1 No messages")


# --- failures -------------------------------------------------------------------------------------


class Broken(Filter):
    async def on_mail_from(self, session: Session, request: MailFrom) -> Decision:
        raise ValueError("no such thing")


def test_failures_are_raised_where_they_happened() -> None:
    with pytest.raises(ValueError, match="no such thing") as caught:
        run_message(Broken())
    assert caught.traceback[-1].name == "on_mail_from"
    assert str(caught.traceback[-1].path) == __file__


def test_failures_are_answered_and_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``run_message`` raises smtpd is answered with 451."""
    logged: list[str] = []
    monkeypatch.setattr(log_module, "emit", logged.append)
    smtpd = Smtpd()
    driver = Driver(FilterConnection(Broken()), smtpd.receive)
    driver.feed(smtpd.data_to_send())
    client = smtpd.connect()
    driver.feed(smtpd.data_to_send())
    client.ehlo()
    driver.feed(smtpd.data_to_send())
    client.mail()
    driver.feed(smtpd.data_to_send())
    assert client.replies[-1].startswith(b"451 4.3.0 ")
    (line,) = logged
    assert "handler=on_mail_from error=ValueError" in line
    assert 'reason="no such thing"' in line


@pytest.mark.parametrize("place", ["header", "body", "end"])
@pytest.mark.parametrize("kind", [At, StreamAt])
@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(3)], ids=repr)
def test_failures_of_a_message_handler(kind: Kind, place: str, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        run_message(Messages(lambda: kind(place, lambda: explode(error))), MAIL)
    assert caught.value is error


def test_failures_of_an_offload_and_of_a_report() -> None:
    class Reports(Filter):
        def on_tx_begin(self, session: Session, report: object) -> None:
            raise LookupError("report")

    with pytest.raises(ZeroDivisionError):
        run_message(Messages(lambda: At("end", lambda: Offload(lambda: 1 // 0))), MAIL)
    with pytest.raises(LookupError, match="report"):
        run_message(Reports(), MAIL)


def test_an_answer_that_smtpd_would_not_take() -> None:
    class Nonsense(Filter):
        def on_helo(self, session: Session, request: Helo) -> Decision:
            return None  # type: ignore[return-value]  # the mistake under test

    with pytest.raises(DecisionError, match=r"^on_helo returned None: return "):
        run_message(Nonsense(), MAIL)


# --- the log --------------------------------------------------------------------------------------


def test_what_the_filter_logs_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    class Chatty(Filter):
        def on_helo(self, session: Session, request: Helo) -> Decision:
            log("hello", session.id, identity=request.identity)
            return PROCEED

    outcome = run_message(Chatty(), helo=b"a.example")
    (line,) = outcome.log
    assert line.endswith(" hello identity=a.example")
    log("afterwards")
    assert capfd.readouterr().err == "afterwards\n"


def test_coroutines_that_wait() -> None:
    class Slow(Filter):
        async def on_mail_from(self, session: Session, request: MailFrom) -> Decision:
            import asyncio

            await asyncio.sleep(0)
            return Reject(550, "5.7.1 No")

    assert run_message(Slow()).reply == b"550 5.7.1 No"
