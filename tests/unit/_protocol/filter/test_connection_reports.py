"""Reports reach their handlers, and sessions know what they say."""

from typing import Any

from opensmtpd.filter import PROCEED, Filter, Reject, Session, events
from unit.support.handlers import DISCONNECT
from unit.support.talk import TEMPFAIL, Talk, report, request, result


def test_each_report_reaches_its_handler() -> None:
    seen: list[tuple[str, object]] = []

    class All(Filter):
        def on_link_connect(self, session: Session, report: Any) -> None:
            seen.append((session.id, report))

        on_link_greeting = on_link_identify = on_link_tls = on_link_auth = on_link_connect
        on_tx_reset = on_tx_begin = on_tx_mail = on_tx_rcpt = on_tx_envelope = on_link_connect
        on_tx_data = on_tx_commit = on_tx_rollback = on_protocol_client = on_link_connect
        on_protocol_server = on_filter_report = on_filter_response = on_timeout = on_link_connect
        on_link_disconnect = on_link_connect

    talk = Talk(All())
    told: list[tuple[tuple[bytes, ...], events.Report]] = [
        (
            (b"link-connect", b"mx", b"pass", b"unix:/x", b"local"),
            events.LinkConnect(1.5, b"mx", "pass", b"unix:/x", b"local"),
        ),
        ((b"link-greeting", b"mx"), events.LinkGreeting(1.5, b"mx")),
        ((b"link-identify", b"EHLO", b"c1"), events.LinkIdentify(1.5, "EHLO", b"c1")),
        ((b"link-tls", b"TLSv1.3"), events.LinkTLS(1.5, b"TLSv1.3")),
        ((b"link-auth", b"fail", b"alice"), events.LinkAuth(1.5, "fail", b"alice")),
        ((b"tx-reset", b"018a64ac"), events.TxReset(1.5, "018a64ac")),
        ((b"tx-begin", b"018a64ac"), events.TxBegin(1.5, "018a64ac")),
        ((b"tx-mail", b"018a64ac", b"ok", b""), events.TxMail(1.5, "018a64ac", "ok", b"")),
        ((b"tx-rcpt", b"018a64ac", b"ok", b"a"), events.TxRcpt(1.5, "018a64ac", "ok", b"a")),
        ((b"tx-envelope", b"018a64ac", b"12"), events.TxEnvelope(1.5, "018a64ac", "12")),
        ((b"tx-data", b"018a64ac", b"ok"), events.TxData(1.5, "018a64ac", "ok")),
        ((b"tx-commit", b"018a64ac", b"7"), events.TxCommit(1.5, "018a64ac", 7)),
        ((b"tx-rollback", b"018a64ac"), events.TxRollback(1.5, "018a64ac")),
        ((b"protocol-client", b"a|b"), events.ProtocolClient(1.5, b"a|b")),
        ((b"protocol-server", b"250 x"), events.ProtocolServer(1.5, b"250 x")),
        ((b"filter-report", b"proc", b"x", b"y"), events.FilterReport(1.5, "proc", b"x", b"y")),
        ((b"filter-response", b"tls", b"proceed"), events.FilterResponse(1.5, "tls", "proceed")),
        ((b"timeout",), events.Timeout(1.5)),
        ((b"link-disconnect",), events.LinkDisconnect(1.5)),
    ]
    assert talk.say(*(report(*fields, time=b"1.5") for fields, _ in told)) == b""
    assert seen == [("1718c5e591926d28", event) for _, event in told]
    assert talk.logged == []
    assert talk.protocol.session_count == 0


def test_a_session_is_one_object_until_it_disconnects() -> None:
    sessions: list[Session] = []

    class Some(Filter):
        def on_link_connect(self, session: Session, report: Any) -> None:
            sessions.append(session)

        on_noop = on_link_disconnect = on_link_connect  # type: ignore[assignment]

    talk = Talk(Some())
    connect = report(b"link-connect", b"mx", b"pass", b"unix:/x", b"local")
    talk.say(connect, request(b"noop"), DISCONNECT, connect)
    first, second, third, fourth = sessions
    assert first is second is third
    assert fourth is not third


def test_what_a_report_handler_does_wrong_is_logged_and_nothing_else() -> None:
    class Some(Filter):
        def on_link_disconnect(self, session: Session, report: Any) -> None:
            raise SystemExit(1)

    talk = Talk(Some())
    assert talk.say(report(b"timeout"), DISCONNECT) == b""
    assert "handler=on_link_disconnect error=SystemExit" in talk.logged[0]
    assert talk.protocol.session_count == 0


def test_a_report_handler_may_be_a_coroutine() -> None:
    done = list[str]()

    class Some(Filter):
        async def on_timeout(self, session: Session, report: Any) -> None:
            done.append("timeout")

        async def on_link_disconnect(self, session: Session, report: Any) -> None:
            done.append("disconnect")

    talk = Talk(Some())
    talk.say(report(b"timeout"))
    assert talk.finish(talk.job()) == b""
    talk.say(DISCONNECT)
    assert talk.finish(talk.job()) == b""
    assert done == ["timeout", "disconnect"]
    assert talk.protocol.dispatcher.next_deadline() is None


def test_session_uses() -> None:
    seen: list[object] = []

    class Some(Filter):
        uses = ("fcrdns", "recipients")

        def on_data(self, session: Session, request: Any) -> Any:
            seen.append((session.fcrdns, list(session.recipients)))
            return PROCEED

        def on_quit(self, session: Session, request: Any) -> Any:
            return Reject(550, session.rdns.decode())

    talk = Talk(Some())
    talk.say(
        report(b"link-connect", b"mx", b"fail", b"192.0.2.1:1", b"192.0.2.2:25"),
        report(b"tx-rcpt", b"018a64ac", b"ok", b"a@b"),
        report(b"tx-rcpt", b"018a64ac", b"permfail", b"c@d"),
        request(b"data"),
        report(b"tx-reset", b"018a64ac"),
        request(b"data"),
    )
    assert seen == [("fail", [b"a@b"]), ("fail", [])]
    assert talk.say(request(b"quit")) == result(TEMPFAIL)
    assert "add 'rdns' to the filter's uses" in talk.logged[0]
