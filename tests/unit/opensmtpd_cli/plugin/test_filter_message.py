"""The message that a filter lets go, without the fields that smtpd had put in front."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.filter import JUNK, Connect, Filter, PhaseDecision, Session, StreamedMessage
from opensmtpd.testing import Driver, Smtpd
from opensmtpd.testing.model.visit import visit
from opensmtpd_cli.plugin.filter_message import changes, ending, without
from opensmtpd_cli.plugin.filter_run import outgoing

TRACE = [b"X-Spam: Yes", b"Received: a", b"\tb", b"\tc"]


class Echo(Filter):
    def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
        return JUNK

    def on_message(self, session: Session) -> StreamedMessage:
        return StreamedMessage()


def through(message: bytes) -> bytes | None:
    """Return a message as a filter that changes nothing lets it go."""
    smtpd = Smtpd("7.9.0")
    driver = Driver(FilterConnection(Echo()), smtpd.receive)
    driver.feed(smtpd.data_to_send())
    client = smtpd.connect()
    steps = visit(
        client, message, helo=b"a", tls=False, username=None, sender=b"", recipients=[b"a@b"]
    )
    for _ in steps:
        while data := smtpd.data_to_send():
            driver.feed(data)
    return outgoing(client, message)


LINES = st.lists(
    st.one_of(
        st.sampled_from([b"", b".", b"..", b"Received: a", b"\tb", b"X-Spam: Yes", b"\rx", b"|"]),
        st.binary(max_size=30),
    ).map(lambda line: line.replace(b"\n", b"").replace(b"\0", b"").rstrip(b"\r")),
    max_size=20,
)


@given(LINES, st.sampled_from([b"\n", b"\r\n"]))
def test_untouched_messages_come_out_as_they_went_in(lines: list[bytes], end: bytes) -> None:
    message = b"".join(line + end for line in lines)
    assert through(message) == message


@pytest.mark.parametrize("lines", [499, 500, 501, 1000])
def test_messages_in_pieces(lines: int) -> None:
    message = b"".join(b"%d\n" % number for number in range(lines))
    assert through(message) == message


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([*TRACE, b"a: b", b"", b"x"], [b"a: b", b"", b"x"]),
        ([b"new: 1", *TRACE, b"", b"x"], [b"new: 1", b"", b"x"]),
        ([*TRACE[1:], *TRACE], TRACE[1:]),
        ([*TRACE[:2], b"\tchanged", b"\tc"], [*TRACE[1:2], b"\tchanged", b"\tc"]),
        ([*TRACE[1:], b"", *TRACE], [b"", *TRACE]),
        ([b"", *TRACE], [b"", *TRACE]),
        ([], []),
    ],
)
def test_what_smtpd_put_in_front(lines: list[bytes], wanted: list[bytes]) -> None:
    assert without(lines, TRACE) == wanted


def test_changes() -> None:
    before = [b"A: 1", b"\t2", b"B: 1", b"B: 1", b"", b"C: 1"]
    after = [b"New: 1", b"A: 1", b"\t3", b"B : 1", b"B: 1", b"", b"D: 1"]
    assert changes(before, after) == ([b"New", b"A", b"B"], [b"A", b"B"])
    assert changes(before, before) == ([], [])


@pytest.mark.parametrize(
    ("message", "end"),
    [(b"", b"\n"), (b"a\r", b"\n"), (b"a\r\n", b"\r\n"), (b"a\nb\r\n", b"\n"), (b"\r\n", b"\r\n")],
)
def test_ends_of_lines(message: bytes, end: bytes) -> None:
    assert ending(message) == end
