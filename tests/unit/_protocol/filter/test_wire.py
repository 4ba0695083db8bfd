"""The field table: each event of each protocol version, and the frame around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.filter import wire
from opensmtpd.errors import DecisionError, ProtocolError, VersionError
from opensmtpd.filter import JUNK, PROCEED, Reject, events

V05, V06, V07 = (0, 5), (0, 6), (0, 7)


def report(version: tuple[int, int], event: str, fields: bytes) -> events.Report:
    line = wire.Line(b"report", b"0.7", b"1.5", b"smtp-in", event, b"1718c5e591926d28", fields)
    return wire.Decoder(version).report(line)


# --- the frame ------------------------------------------------------------------------------------


def test_the_frame_of_a_report() -> None:
    assert wire.parse(
        b"report|0.7|1795335705.127288|smtp-in|tx-mail|1718c5e591926d28|018a64ac|ok|a|b@c"
    ) == wire.Line(
        b"report",
        b"0.7",
        b"1795335705.127288",
        b"smtp-in",
        "tx-mail",
        b"1718c5e591926d28",
        b"018a64ac|ok|a|b@c",
    )


def test_the_frame_of_a_report_without_fields() -> None:
    assert wire.parse(b"report|0.7|1.0|smtp-in|timeout|1718c5e591926d28") == wire.Line(
        b"report",
        b"0.7",
        b"1.0",
        b"smtp-in",
        "timeout",
        b"1718c5e591926d28",
        b"",
    )


@pytest.mark.parametrize(
    "line",
    [b"", b"report|", b"report|0.7|1.0|smtp-in|timeout"],
)
def test_a_line_without_a_frame(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.parse(line)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b"0.5", V05),
        (b"0.6", V06),
        (b"0.7", V07),
        (b"0.8", V07),
        (b"0.10", V07),
        (b"1.0", V07),
    ],
)
def test_version(text: bytes, version: tuple[int, int]) -> None:
    assert wire.version(text) == version


@pytest.mark.parametrize("text", [b"0.4", b"0.0"])
def test_versions_too_old_to_be_spoken(text: bytes) -> None:
    with pytest.raises(VersionError, match=r"filter protocol 0\.[04] is older than 0\.5"):
        wire.version(text)


@pytest.mark.parametrize("text", [b"", b"7", b"a.b", b"0.x", b"0."])
def test_what_is_no_version(text: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        wire.version(text)
    assert type(caught.value) is ProtocolError


# --- reports --------------------------------------------------------------------------------------

SAME = [
    (
        "link-connect",
        b"localhost|pass|127.0.0.1:36067|127.0.0.1:2525",
        events.LinkConnect(1.5, b"localhost", "pass", b"127.0.0.1:36067", b"127.0.0.1:2525"),
    ),
    (
        "link-connect",
        b"<unknown>|error|[2001:db8::1]:4711|[2001:db8::9]:25",
        events.LinkConnect(1.5, b"<unknown>", "error", b"[2001:db8::1]:4711", b"[2001:db8::9]:25"),
    ),
    ("link-disconnect", b"", events.LinkDisconnect(1.5)),
    ("link-disconnect", b"what|comes|later", events.LinkDisconnect(1.5)),
    ("link-greeting", b"example.com", events.LinkGreeting(1.5, b"example.com")),
    ("link-identify", b"EHLO|c1.example", events.LinkIdentify(1.5, "EHLO", b"c1.example")),
    ("link-identify", b"HELO|a|b", events.LinkIdentify(1.5, "HELO", b"a|b")),
    ("link-tls", b"TLSv1.3:X:256", events.LinkTLS(1.5, b"TLSv1.3:X:256")),
    ("tx-reset", b"018a64ac", events.TxReset(1.5, "018a64ac")),
    ("tx-reset", b"", events.TxReset(1.5, "")),
    ("tx-begin", b"018a64ac|more", events.TxBegin(1.5, "018a64ac")),
    ("tx-envelope", b"018a64ac|018a64ac1234", events.TxEnvelope(1.5, "018a64ac", "018a64ac1234")),
    ("tx-data", b"018a64ac|ok", events.TxData(1.5, "018a64ac", "ok")),
    ("tx-commit", b"018a64ac|1234", events.TxCommit(1.5, "018a64ac", 1234)),
    ("tx-commit", b"018a64ac|1234|more", events.TxCommit(1.5, "018a64ac", 1234)),
    ("tx-rollback", b"018a64ac", events.TxRollback(1.5, "018a64ac")),
    ("protocol-client", b"AUTH PLAIN a|b", events.ProtocolClient(1.5, b"AUTH PLAIN a|b")),
    ("protocol-server", b"250 a|\xff", events.ProtocolServer(1.5, b"250 a|\xff")),
    (
        "filter-report",
        b"proc|dkimsign|a|b",
        events.FilterReport(1.5, "proc", b"dkimsign", b"a|b"),
    ),
    ("filter-response", b"connected|proceed", events.FilterResponse(1.5, "connected", "proceed")),
    (
        "filter-response",
        b"data|reject|550 a|b",
        events.FilterResponse(1.5, "data", "reject", b"550 a|b"),
    ),
    ("timeout", b"", events.Timeout(1.5)),
]
AUTH_OLD = ("link-auth", b"al|ice|pass", events.LinkAuth(1.5, "pass", b"al|ice"))
AUTH_NEW = ("link-auth", b"pass|al|ice", events.LinkAuth(1.5, "pass", b"al|ice"))
TX_OLD = [
    ("tx-mail", b"018a64ac|a|b@c|ok", events.TxMail(1.5, "018a64ac", "ok", b"a|b@c")),
    ("tx-mail", b"018a64ac||ok", events.TxMail(1.5, "018a64ac", "ok", b"")),
    ("tx-rcpt", b"018a64ac|b@c|permfail", events.TxRcpt(1.5, "018a64ac", "permfail", b"b@c")),
]
TX_NEW = [
    ("tx-mail", b"018a64ac|ok|a|b@c", events.TxMail(1.5, "018a64ac", "ok", b"a|b@c")),
    ("tx-mail", b"018a64ac|ok|", events.TxMail(1.5, "018a64ac", "ok", b"")),
    ("tx-rcpt", b"018a64ac|permfail|b@c", events.TxRcpt(1.5, "018a64ac", "permfail", b"b@c")),
]
CASES = [(version, *case) for version in (V05, V06, V07) for case in SAME]
CASES += [(V05, *case) for case in [AUTH_OLD, *TX_OLD]]
CASES += [(V06, *case) for case in [AUTH_OLD, *TX_NEW]]
CASES += [(V07, *case) for case in [AUTH_NEW, *TX_NEW]]


@pytest.mark.parametrize(("version", "event", "fields", "expected"), CASES)
def test_report(
    version: tuple[int, int], event: str, fields: bytes, expected: events.Report
) -> None:
    assert report(version, event, fields) == expected
    assert type(report(version, event, fields)) is type(expected)


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("link-connect", b"localhost|pass|127.0.0.1:1"),
        ("link-identify", b"EHLO"),
        ("link-auth", b"pass"),
        ("tx-mail", b"018a64ac|ok"),
        ("tx-commit", b"018a64ac"),
        ("tx-commit", b"018a64ac|many"),
        ("filter-response", b"connected"),
        ("no-such-event", b"x"),
    ],
)
def test_reports_that_make_no_sense(event: str, fields: bytes) -> None:
    with pytest.raises(ProtocolError):
        report(V07, event, fields)


# --- requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V05, V06, V07])
@pytest.mark.parametrize(
    ("phase", "fields", "expected"),
    [
        ("connect", b"localhost|127.0.0.1", events.Connect(1.5, b"localhost", b"127.0.0.1")),
        (
            "connect",
            b"<unknown>|[2001:db8::1]",
            events.Connect(1.5, b"<unknown>", b"[2001:db8::1]"),
        ),
        ("helo", b"c1.example", events.Helo(1.5, b"c1.example", "HELO")),
        ("ehlo", b"a|b", events.Helo(1.5, b"a|b", "EHLO")),
        ("starttls", b"", events.StartTLS(1.5)),
        ("auth", b"PLAIN AGEAYg==", events.Auth(1.5, b"PLAIN AGEAYg==")),
        ("mail-from", b"", events.MailFrom(1.5, b"")),
        ("mail-from", b"a|b@c", events.MailFrom(1.5, b"a|b@c")),
        ("rcpt-to", b"\xff@c", events.RcptTo(1.5, b"\xff@c")),
        ("data", b"", events.Data(1.5)),
        ("commit", b"", events.Commit(1.5)),
        ("rset", b"", events.Rset(1.5)),
        ("quit", b"", events.Quit(1.5)),
        ("noop", b"ignored", events.Noop(1.5)),
        ("help", b"", events.Help(1.5)),
    ],
)
def test_request(
    version: tuple[int, int], phase: str, fields: bytes, expected: events.FilterRequest
) -> None:
    request = wire.Decoder(version).request(phase, b"1.5", fields)
    assert request == expected
    assert type(request) is type(expected)


@pytest.mark.parametrize(("phase", "fields"), [("connect", b"localhost"), ("wiz", b"")])
def test_requests_that_make_no_sense(phase: str, fields: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.Decoder(V07).request(phase, b"1.5", fields)


def test_a_time_that_is_none() -> None:
    with pytest.raises(ProtocolError, match="without a time"):
        wire.Decoder(V07).request("noop", b"now", b"")


FIELD = st.binary(max_size=20).map(lambda raw: raw.replace(b"|", b"").replace(b"\n", b""))
STARRED = st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"") + b"|")


@given(address=STARRED)
def test_the_starred_field_keeps_its_bars_wherever_it_stands(address: bytes) -> None:
    old = report(V05, "tx-mail", b"018a64ac|" + address + b"|ok")
    new = report(V06, "tx-mail", b"018a64ac|ok|" + address)
    assert old == new == events.TxMail(1.5, "018a64ac", "ok", address)


@given(rdns=STARRED, source=FIELD, destination=FIELD)
def test_the_starred_field_in_front_of_others(
    rdns: bytes, source: bytes, destination: bytes
) -> None:
    told = report(V07, "link-connect", b"|".join([rdns, b"pass", source, destination]))
    assert told == events.LinkConnect(1.5, rdns, "pass", source, destination)


# --- answers --------------------------------------------------------------------------------------


def test_result() -> None:
    assert (
        wire.result("commit", b"1718c5e591926d28", b"1f08301bf13c4c1f", PROCEED)
        == b"filter-result|1718c5e591926d28|1f08301bf13c4c1f|proceed\n"
    )
    assert (
        wire.result("data", b"s", b"t", Reject(550, "No")) == b"filter-result|s|t|reject|550 No\n"
    )
    with pytest.raises(DecisionError):
        wire.result("commit", b"s", b"t", JUNK)


def test_dataline_prefix() -> None:
    assert (
        wire.dataline_prefix(b"1718c5e591926d28", b"1f083015d732b8dd")
        == b"filter-dataline|1718c5e591926d28|1f083015d732b8dd|"
    )


# --- a plain reference ----------------------------------------------------------------------------

CELLS = st.lists(st.sampled_from([b"", b"ok", b"a|b", b"a|", b"12", b"\xff", b"pass"]), max_size=6)
WORDS = {"msgid", "envelope", "result", "fcrdns", "verb", "kind", "phase", "decision"}


def plainly(names: str, raw: bytes) -> dict[str, object] | None:
    """Return the fields of an event one by one; None for a line that makes no sense."""
    order = names.split()
    cells = raw.split(b"|") if order else []
    for place, name in enumerate(order):
        while name.startswith("*") and len(cells) > len(order):
            cells[place : place + 2] = [cells[place] + b"|" + cells[place + 1]]
    if len(cells) < sum(not name.endswith("?") for name in order):
        return None
    found: dict[str, object] = {}
    for name, cell in zip((name.strip("*?") for name in order), cells, strict=False):
        if name == "size":
            if not cell.isdigit():
                return None
            found[name] = int(cell)
        else:
            found[name] = cell.decode("ascii", "backslashreplace") if name in WORDS else cell
    return found


@given(st.sampled_from(sorted(wire.REPORTS)), st.sampled_from([V05, V06, V07]), CELLS)
def test_a_report_is_its_fields_one_by_one(
    event: str, version: tuple[int, int], cells: list[bytes]
) -> None:
    make, orders = wire.REPORTS[event]
    names = orders
    if isinstance(orders, dict):
        names = orders[max(since for since in orders if since <= version)]
    assert isinstance(names, str)
    expected = plainly(names, raw := b"|".join(cells))
    if expected is None:
        with pytest.raises(ProtocolError):
            report(version, event, raw)
    else:
        assert report(version, event, raw) == make(time=1.5, **expected)
