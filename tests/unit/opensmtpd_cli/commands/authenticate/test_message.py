"""A message in a file, as lines."""

import pytest

from opensmtpd_cli.commands.authenticate.message import Message, split


@pytest.mark.parametrize(
    ("raw", "header", "body"),
    [
        (b"", [], []),
        (b"\n", [], []),
        (b"\nhello", [], [b"hello"]),
        (b"A: b", [b"A: b"], []),
        (b"A: b\n", [b"A: b"], []),
        (b"A: b\n c\n\nhello\n\n", [b"A: b", b" c"], [b"hello", b""]),
        (b"A: b\r\n\r\nhello\r\n", [b"A: b"], [b"hello"]),
        (b"A: b\r\r\n\r\nx\ry\r\n", [b"A: b\r"], [b"x\ry"]),
        (b"A: \xff\n\n.dot\n", [b"A: \xff"], [b".dot"]),
    ],
)
def test_lines(raw: bytes, header: list[bytes], body: list[bytes]) -> None:
    assert split(raw) == (header, body)


def test_as_it_crosses_the_wire() -> None:
    assert Message([b"A: b"], [b"hello", b""]).crlf == b"A: b\r\n\r\nhello\r\n\r\n"
    assert split(Message([b"A: b"], [b"hello", b""]).crlf) == ([b"A: b"], [b"hello", b""])
