"""The lines of the table protocol."""

import pytest

from opensmtpd._protocol.table.wire import LINE_MAX, RequestLines, encode_error, release

CREDENTIALS = b"table|0.1|1700000000.000000|users|lookup|credentials|00000001|"
DOMAIN = b"table|0.1|1700000000.000000|users|check|domain|00000002|"


def lines(raw_keys: bool) -> RequestLines:
    made = RequestLines()
    made.name, made.raw_keys = b"users", raw_keys
    return made


def bytewise(cutter: RequestLines, data: bytes) -> list[bytes]:
    return [line for at in range(len(data)) for line in cutter.feed(data[at : at + 1])]


def test_one_request_a_line() -> None:
    data = CREDENTIALS + b"alice\n" + DOMAIN + b"example.org\n"
    wanted = [CREDENTIALS + b"alice", DOMAIN + b"example.org"]
    assert lines(raw_keys=False).feed(data) == wanted
    assert bytewise(lines(raw_keys=False), data) == wanted


def test_a_key_with_line_feeds_is_one_request() -> None:
    data = CREDENTIALS + b"alice\n" + DOMAIN + b"example.org\n"
    assert lines(raw_keys=True).feed(data) == [data[:-1]]
    assert lines(raw_keys=False).feed(data) == data[:-1].split(b"\n")


def test_a_key_that_smtpd_has_not_ended_waits() -> None:
    cutter = lines(raw_keys=True)
    assert cutter.feed(CREDENTIALS + b"alice\n" + DOMAIN + b"exam") == []
    assert cutter.feed(b"ple.org\n") == [CREDENTIALS + b"alice\n" + DOMAIN + b"example.org"]


def test_keys_that_no_client_types_are_not_joined() -> None:
    data = DOMAIN + b"one\n" + DOMAIN + b"two\n"
    assert lines(raw_keys=True).feed(data) == [DOMAIN + b"one", DOMAIN + b"two"]


def test_a_line_too_long_is_dropped_and_counted() -> None:
    cutter = lines(raw_keys=False)
    assert cutter.feed(b"x" * (LINE_MAX + 1) + b"\n" + DOMAIN + b"a\n") == [DOMAIN + b"a"]
    assert cutter.dropped == 1


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"7.6.0", (7, 6)),
        (b"7.9.0-portable", (7, 9)),
        (b"10.12", (10, 12)),
        (b"7", None),
        (b"", None),
        (b"current", None),
    ],
)
def test_releases(value: bytes, wanted: tuple[int, int] | None) -> None:
    assert release(value) == wanted


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("no such table", b"error|no such table"),
        ("a\nline\r\0", b"error|a?line??"),
        ("gr\u00fcn", b"error|gr?n"),
        ("x" * 300, b"error|" + b"x" * 200),
        ("", b"error|"),
    ],
)
def test_an_error_is_printable_and_short(reason: str, wanted: bytes) -> None:
    assert encode_error(reason) == wanted
