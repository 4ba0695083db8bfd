"""The kinds of message handlers, before anybody overrides them."""

import pytest

from opensmtpd.filter import HeldMessage, StreamedMessage


def test_a_held_message_does_nothing_by_itself() -> None:
    held = HeldMessage()
    held.header([b"A: 1"])
    held.body([b"x"])
    assert held.end() == ()


@pytest.mark.parametrize("run", [[], [b""], [b"A: 1", b"\tfolded"]])
def test_a_streamed_message_returns_the_same_runs_by_itself(run: list[bytes]) -> None:
    """The same object: the run then costs nothing."""
    streamed, before = StreamedMessage(), list(run)
    assert streamed.header(run) is run
    assert streamed.body(run) is run
    assert run == before


def test_a_streamed_message_appends_nothing_by_itself() -> None:
    streamed = StreamedMessage()
    end = streamed.end()
    assert end == []
    assert streamed.end() is not end


def test_the_two_kinds_are_not_each_other() -> None:
    assert not issubclass(StreamedMessage, HeldMessage)
    assert not issubclass(HeldMessage, StreamedMessage)
