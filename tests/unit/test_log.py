"""The log's form, and that writing it never waits."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd import log as log_module
from opensmtpd.log import form, log


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "s event"),
        ({"key": "value"}, "s event key=value"),
        ({"key": b"value"}, "s event key=value"),
        ({"a": 1, "b": 2.5}, "s event a=1 b=2.5"),
        ({"none": None, "x": "y"}, "s event x=y"),
        ({"key": ""}, 's event key=""'),
        ({"reason": "no key"}, 's event reason="no key"'),
        ({"a": "b=c"}, 's event a="b=c"'),
        ({"a": 'say "x"'}, r's event a="say \"x\""'),
        ({"a": "back\\slash"}, r's event a="back\\slash"'),
        ({"a": "two\nlines"}, r"s event a=two\nlines"),
        ({"a": "cr\r tab\t nul\0"}, r's event a="cr\r tab\t nul\x00"'),
        ({"a": "caf\xe9"}, "s event a=caf\xe9"),
        ({"a": b"caf\xe9"}, r's event a="caf\\xe9"'),
        ({"a": "\u2028\ud800"}, r"s event a=\u2028\ud800"),
    ],
)
def test_form(fields: dict[str, object], line: str) -> None:
    assert form("event", "s", **fields) == line


def test_an_event_without_a_session() -> None:
    assert form("reloaded", None, keys=2) == "reloaded keys=2"


def test_a_line_is_cut_at_1000_characters() -> None:
    assert form("event", "s", text="x" * 2000) == "s event text=" + "x" * 987


def test_a_value_that_cannot_be_shown_is_no_reason_to_fail() -> None:
    line = form("handler-failed", "s", reason=Unprintable())
    assert line.startswith("s handler-failed reason=")


@given(value=st.text() | st.binary() | st.floats() | st.integers())
def test_whatever_the_value_it_is_one_printable_line(value: object) -> None:
    line = form("event", "1718c5e591926d28", value=value, next="x")
    assert line.isprintable()
    assert line.startswith("1718c5e591926d28 event value=")


@given(text=st.text(max_size=100))
def test_a_value_can_be_told_from_what_follows_it(text: str) -> None:
    head, _, tail = form("e", None, value=text, next="x").rpartition(" next=")
    assert (head[:8], tail) == ("e value=", "x")
    assert head[8:].startswith('"') == head.endswith('"')


def test_it_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    log("dkim-unsigned", "1718c5e591926d28", reason="no key", domain=b"example.org")
    out, err = capfd.readouterr()
    assert out == ""
    assert err == '1718c5e591926d28 dkim-unsigned reason="no key" domain=example.org\n'


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    monkeypatch.setattr(log_module, "_STDERR", writer)
    monkeypatch.setattr(log_module, "_lost", 0)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def fill(writer: int) -> None:
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)


def drain(reader: int) -> bytes:
    data = b""
    try:
        while True:
            data += os.read(reader, 65536)
    except BlockingIOError:
        return data


def test_a_full_pipe_loses_lines_counts_them_and_never_waits(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    fill(writer)
    log("first")
    log("second")
    drain(reader)
    log("third")
    log("fourth")
    assert drain(reader) == b"third\nlog-lines-lost count=2\nfourth\n"


def test_the_longest_line_fits_into_what_a_writable_pipe_takes_at_once(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_lost", 10**9)
    log("event", "s", text="\U0001f600" * 2000)
    assert len(drain(pipe[0])) <= 4096  # PIPE_BUF: a pipe that polls writable has room for it


class Clock:
    """A clock that a test moves."""

    now = 7.9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    log_module.limit(clock)
    yield clock
    log_module.limit(None)


def many(count: int) -> list[str]:
    """Log lines; return them."""
    for number in range(count):
        log("event", number=number)
    return [f"event number={number}" for number in range(count)]


def test_a_hundred_lines_a_second_and_then_a_count(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = many(150)
    assert capfd.readouterr().err.splitlines() == lines[:100]
    log_module.tell_left_out()  # it is not over yet
    clock.now = 8.0
    assert capfd.readouterr().err == ""
    lines = many(100)
    assert capfd.readouterr().err.splitlines() == ["log-limited lines=50", *lines]
    clock.now = 9.5
    lines = many(100)
    assert capfd.readouterr().err.splitlines() == lines


def test_the_count_comes_without_another_line(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    many(101)
    capfd.readouterr()
    clock.now = 8.0
    log_module.tell_left_out()
    log_module.tell_left_out()
    assert capfd.readouterr().err == "log-limited lines=1\n"


def test_the_end_of_the_limit(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    many(101)
    capfd.readouterr()
    log_module.limit(None)
    lines = many(500)
    assert capfd.readouterr().err.splitlines() == ["log-limited lines=1", *lines]
    log_module.tell_left_out()
    assert capfd.readouterr().err == ""


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_lost", 0)
    monkeypatch.setattr(log_module, "_STDERR", -1)
    log("event")
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(log_module, "_STDERR", writer)
    log("event")
    os.close(writer)


def test_no_line_needs_a_module_that_is_not_there_yet() -> None:
    """It may be gone when it is needed: the package of Python itself may be upgraded."""
    program = (
        "import sys\n"
        "from opensmtpd import log\n"
        "loaded = []\n"
        "sys.addaudithook(lambda event, args: event == 'import' and loaded.append(args[0]))\n"
        "text = log.form('event', 's', text='\\n\\0\\u2028\\udcff', raw=b'\\xff')\n"
        "print(ascii(text), loaded)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout.decode() == (
        r"""'s event text=\\n\\x00\\u2028\\udcff raw="\\\\xff"' []""" + "\n"
    )
