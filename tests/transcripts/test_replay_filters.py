"""Recordings of smtpd 6.8, 7.6 and 7.9, replayed to filters of ours.

The recorded plugin registered for everything and let everything pass, so a filter that does the
same must answer the same. Required is the order within a session; fed line by line as it was
recorded, ours even keeps the order between sessions, and a test holds that it does, since bytes
that wait for nothing should not wait.
"""

from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.answer import Offload
from opensmtpd.filter import PROCEED, Filter, HeldMessage, StreamedMessage
from opensmtpd.testing import Replay, Transcript, replay

HUGE = 1 << 30


def _proceed(self: Filter, session: object, request: object) -> Any:
    return PROCEED


def _ignore(self: Filter, session: object, report: object) -> None:
    return None


class Everything(Filter):
    """Overrides all handlers there are."""

    def on_message(self, session: object) -> StreamedMessage | HeldMessage | None:
        return StreamedMessage()


REQUESTS = "connect helo starttls auth mail_from rcpt_to data commit rset quit noop help".split()  # noqa: SIM905
REPORTS = [
    name
    for name in vars(Filter)
    if name.startswith("on_") and name[3:] not in REQUESTS and name != "on_message"
]
for name in REQUESTS:
    setattr(Everything, f"on_{name}", _proceed)
for name in REPORTS:
    setattr(Everything, name, _ignore)


class Holding(Everything):
    """Holds each message to its end."""

    def on_message(self, session: object) -> HeldMessage:
        return HeldMessage()


class Front(HeldMessage):
    def end(self) -> Offload[list[bytes]]:
        return Offload(lambda: [b"X-First: yes", b".X-Dotted: yes"])


class Signing(Everything):
    """Holds each message, and puts lines in front that a thread makes."""

    def on_message(self, session: object) -> Front:
        return Front()


class Waiting(Everything):
    """Answers from coroutines."""

    async def on_mail_from(self, session: object, request: object) -> Any:
        return PROCEED

    async def on_commit(self, session: object, request: object) -> Any:
        return PROCEED


def recorded(transcript: Transcript) -> list[bytes]:
    return [line for line in transcript.plugin if not line.startswith(b"register|")]


def answered(result: Replay) -> list[bytes]:
    lines = result.written.split(b"\n")
    assert lines.pop() == b""
    return [line for line in lines if not line.startswith(b"register|")]


def by_session(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for line in lines:
        found.setdefault(line.split(b"|", 2)[1], []).append(line)
    return found


def test_a_filter_for_everything_overrides_everything() -> None:
    assert len(REQUESTS) == 12  # helo stands for ehlo too
    assert len(REPORTS) == 19


def test_registrations_are_the_recorded_ones(transcript: Transcript) -> None:
    result = replay(transcript, FilterConnection(Everything()))
    ours = {line for line in result.written.split(b"\n") if line.startswith(b"register|")}
    theirs = {line for line in transcript.plugin if line.startswith(b"register|")}
    assert theirs - ours <= {b"register|filter|smtp-in|wiz"}  # which we never register
    assert ours <= theirs
    assert result.written.split(b"\n")[len(ours) - 1] == b"register|ready"


def test_line_by_line_answers_are_the_recorded_ones(transcript: Transcript) -> None:
    result = replay(transcript, FilterConnection(Everything()))
    assert answered(result) == recorded(transcript)
    assert result.unanswered == []


@pytest.mark.parametrize("chunk", [1, 7, 1000, 65536, HUGE])
def test_in_any_chunks_each_session_hears_the_recorded_answers(
    transcript: Transcript, chunk: int
) -> None:
    result = replay(transcript, FilterConnection(Everything()), chunk=chunk)
    assert by_session(answered(result)) == by_session(recorded(transcript))
    assert result.unanswered == []


def test_byte_by_byte_is_the_same_as_line_by_line(transcript: Transcript) -> None:
    bytewise = replay(transcript, FilterConnection(Everything()), chunk=1)
    linewise = replay(transcript, FilterConnection(Everything()))
    assert bytewise.written == linewise.written


def without_cut_messages(lines: dict[bytes, list[bytes]]) -> dict[bytes, list[bytes]]:
    """Drop what was echoed of messages that have no final dot."""
    kept = {}
    for session, said in lines.items():
        message: list[bytes] = []
        kept[session] = list[bytes]()
        for line in said:
            message.append(line)
            if not line.startswith(b"filter-dataline|") or line.endswith(b"|."):
                kept[session] += message
                message = []
    return kept


@pytest.mark.parametrize("chunk", [None, 1, 1000])
def test_held_messages_come_out_as_they_went_in(transcript: Transcript, chunk: int | None) -> None:
    result = replay(transcript, FilterConnection(Holding()), chunk=chunk)
    # What a client left half sent is never let go.
    assert by_session(answered(result)) == without_cut_messages(by_session(recorded(transcript)))
    assert result.unanswered == []


@pytest.mark.parametrize("chunk", [None, 1])
def test_lines_in_front_of_held_messages(transcript: Transcript, chunk: int | None) -> None:
    result = replay(transcript, FilterConnection(Signing()), chunk=chunk)
    assert result.unanswered == []
    dots = [line for line in recorded(transcript) if line.endswith(b"|.")]
    fronts = [line for line in answered(result) if line.endswith(b"|X-First: yes")]
    dotted = [line for line in answered(result) if line.endswith(b"|..X-Dotted: yes")]
    assert len(fronts) == len(dotted) == len(dots) > 15
    rest = [line for line in answered(result) if not line.endswith((b"First: yes", b"Dotted: yes"))]
    assert by_session(rest) == without_cut_messages(by_session(recorded(transcript)))


@pytest.mark.parametrize("chunk", [None, 1])
def test_coroutines_answer_the_same(transcript: Transcript, chunk: int | None) -> None:
    result = replay(transcript, FilterConnection(Waiting()), chunk=chunk)
    assert by_session(answered(result)) == by_session(recorded(transcript))
    assert result.unanswered == []


@pytest.mark.parametrize("make", [Everything, Holding, Signing, Waiting])
def test_nothing_is_left_behind(transcript: Transcript, make: Callable[[], Filter]) -> None:
    protocol = FilterConnection(make())
    replay(transcript, protocol)
    assert (protocol.session_count, protocol.message_count, protocol.held_bytes) == (0, 0, 0)


def test_a_filter_that_asks_for_less_is_told_less(transcript: Transcript) -> None:
    class Senders(Filter):
        def on_mail_from(self, session: object, request: object) -> Any:
            return PROCEED

    result = replay(transcript, FilterConnection(Senders()), chunk=1)
    expected = [line for line in transcript.smtpd if b"|smtp-in|mail-from|" in line]
    assert len(answered(result)) == len(expected) > 15
    assert result.unanswered == []
