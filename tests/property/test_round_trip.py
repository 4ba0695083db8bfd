"""A message that nobody means to change leaves byte for byte as it came, whatever it holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.testing import Driver, SmtpClient, Smtpd, Transaction
from property.tame import Calm

UNTOUCHED = ["", "held", "streamed", "copied"]
MEMORY = [0, 300, 1 << 24]

LINES = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([b"", b"..", b"...", b".a", b"\r", b"a\rb", b"|", b"a|b|", b" folded", b"\t"]),
    st.sampled_from([b"filter-dataline|x|y|z", b"\xff" * 10, b"From: a@b.example", b"x" * 998]),
).map(lambda line: line.replace(b"\n", b"").replace(b"\0", b""))


class Mail:
    """A client in the middle of DATA, and the two streams that its lines go through."""

    def __init__(self, kind: str, memory: int, *, sizes: int = 1 << 20) -> None:
        self.smtpd = Smtpd()
        self.protocol = FilterConnection(Calm(kind), budget=Budget(memory, memory))
        self.sent = self.written = b""
        self.sizes = sizes
        self.driver = Driver(self.protocol, self.take)
        self.settle()
        self.client: SmtpClient = self.smtpd.connect()
        for command in (self.client.ehlo, self.client.mail, self.client.rcpt, self.client.data):
            command()
            self.settle()

    def take(self, data: bytes) -> None:
        self.written += data
        self.smtpd.receive(data)

    def settle(self) -> None:
        while data := self.smtpd.data_to_send():
            self.sent += data
            for at in range(0, len(data), self.sizes):
                self.driver.feed(data[at : at + self.sizes])

    def send(self, lines: list[bytes]) -> Transaction:
        for line in lines:
            self.client.line(line + b"\r" if line.endswith(b"\r") else line)
        if self.client.connected:
            self.client.line(b".")
        self.settle()
        return self.client.transactions[0]


def payloads(stream: bytes, kind: bytes, fields: int) -> list[bytes]:
    return [line.split(b"|", fields)[-1] for line in stream.split(b"\n") if kind in line[:60]]


@settings(max_examples=200)
@given(
    st.lists(LINES.filter(lambda line: line != b"."), max_size=30),
    st.sampled_from(UNTOUCHED),
    st.sampled_from(MEMORY),
    st.sampled_from([1, 50, 1 << 20]),
)
def test_bytes_in_bytes_out(lines: list[bytes], kind: str, memory: int, sizes: int) -> None:
    mail = Mail(kind, memory, sizes=sizes)
    transaction = mail.send(lines)
    assert transaction.fate == "accepted"
    assert transaction.lines == transaction.sent
    assert transaction.lines[transaction.trace :] == [line.removeprefix(b".") for line in lines]
    sent = payloads(mail.sent, b"|smtp-in|data-line|", 7)
    assert sent[transaction.trace :] == [*lines, b"."]
    if kind != "copied":  # on the wire too, dots that no stuffing put there included
        assert payloads(mail.written, b"filter-dataline|", 3) == sent
    assert mail.protocol.held_bytes == 0


@pytest.mark.parametrize("kind", UNTOUCHED)
@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("start", [b"", b"."])
def test_the_longest_line_that_can_pass(kind: str, memory: int, start: bytes) -> None:
    line = start + b"x" * (65485 - len(start))
    transaction = Mail(kind, memory).send([b"short", line, b"short"])
    assert transaction.fate == "accepted"
    assert transaction.lines[-2] == line.removeprefix(b".")


@pytest.mark.parametrize("kind", UNTOUCHED)
@pytest.mark.parametrize("size", [65486, 65533, 65534])
def test_lines_that_smtpd_sends_and_cannot_take_back(kind: str, size: int) -> None:
    mail = Mail(kind, 1 << 24)
    transaction = mail.send([b"Subject: long", b"", b"x" * size, b"text"])
    assert transaction.fate == "rejected"
    assert transaction.reply == b"550 5.6.0 Message refused: a line is longer than 65485 bytes"
    assert mail.smtpd.hung() == []
    mail.client.mail()
    mail.settle()
    assert mail.client.replies[-1] == b"250 2.0.0 Ok"


@pytest.mark.parametrize("kind", UNTOUCHED)
@pytest.mark.parametrize("memory", [1 << 16, 1 << 24])
def test_very_many_lines(kind: str, memory: int) -> None:
    lines = [b"%d" % number for number in range(100_000)]
    transaction = Mail(kind, memory).send(lines)
    assert transaction.fate == "accepted"
    assert transaction.lines[transaction.trace :] == lines


@pytest.mark.parametrize("kind", UNTOUCHED)
@pytest.mark.parametrize("lines", [[], [b""], [b"", b""], [b"body only"], [b"A: b"]])
def test_odd_messages(kind: str, lines: list[bytes]) -> None:
    transaction = Mail(kind, 1 << 24).send(lines)
    assert transaction.fate == "accepted"
    assert transaction.lines[transaction.trace :] == lines
