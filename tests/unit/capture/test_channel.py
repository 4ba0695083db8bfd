"""The channel between the two processes: nothing waits, and what has no room is counted."""

import mmap
import socket
from collections.abc import Iterator

import pytest

from opensmtpd.capture.channel import SLOT, CaptureChannel, ChannelReader
from opensmtpd.capture.format import CapturedLines, CaptureEnd, CaptureEntry, CaptureLoss, Speaker
from unit.support.captures import P, S

Both = tuple[CaptureChannel, ChannelReader, socket.socket]
Frames = list[tuple[Speaker | None, CaptureEntry]]


@pytest.fixture
def both() -> Iterator[Both]:
    ours, theirs = socket.socketpair()
    memory = mmap.mmap(-1, SLOT * 4)
    channel = CaptureChannel(ours, memory)
    yield channel, ChannelReader(theirs, memory), theirs
    channel.close()
    theirs.close()


def say(channel: CaptureChannel, now: float, speaker: Speaker, data: bytes) -> None:
    channel.buffer()[: len(data)] = data
    channel.say(now, speaker, len(data))


def taken(reader: ChannelReader, link: socket.socket, step: int = 1 << 16) -> Frames:
    found: Frames = []
    link.setblocking(False)
    while True:
        try:
            data = link.recv(step)
        except BlockingIOError:
            return found
        finally:
            link.setblocking(True)
        if not data:
            return found
        found += reader.feed(data)
        link.setblocking(False)


@pytest.mark.parametrize("step", [1, 5, 17, 4096])
def test_what_is_said_arrives(both: Both, step: int) -> None:
    channel, reader, link = both
    large = bytes(range(256)) * 400
    say(channel, 1.0, S, b"small")
    say(channel, 2.0, P, large)
    say(channel, 3.0, S, b"x")
    channel.end(4.0, -9)
    assert taken(reader, link, step) == [
        (S, CapturedLines(1.0, S, b"small")),
        (P, CapturedLines(2.0, P, large)),
        (S, CapturedLines(3.0, S, b"x")),
        (None, CaptureEnd(4.0, -9)),
    ]


def test_slots_are_used_again(both: Both) -> None:
    channel, reader, link = both
    for number in range(20):
        data = b"%d" % number * 30_000
        say(channel, 1.0, S, data)
        assert taken(reader, link) == [(S, CapturedLines(1.0, S, data))]
        if channel.short:
            channel.take_back()


def test_what_has_no_room_is_counted(both: Both) -> None:
    channel, reader, link = both
    for _ in range(4):
        say(channel, 1.0, S, b"x" * SLOT)
    assert channel.short
    say(channel, 2.0, S, b"x" * SLOT)
    say(channel, 2.0, P, b"y" * 10)
    assert len(taken(reader, link)) == 4
    channel.take_back()
    say(channel, 3.0, P, b"z")
    assert taken(reader, link) == [
        (S, CaptureLoss(3.0, SLOT)),
        (P, CaptureLoss(3.0, 10)),
        (P, CapturedLines(3.0, P, b"z")),
    ]


def test_a_writer_that_does_not_read_takes_bounded_memory(both: Both) -> None:
    channel, reader, link = both
    for _ in range(2000):
        say(channel, 1.0, S, b"x" * 4000)
    assert channel.waiting
    assert channel._size < (1 << 20) + 5000
    found: Frames = []
    while channel.waiting:
        found += taken(reader, link)
        channel.flush()
    found += taken(reader, link)
    assert 250 < len(found) < 400
    say(channel, 2.0, S, b"x")
    (loss, _) = taken(reader, link)
    assert loss[1].size == (2000 - len(found)) * 4000


def test_a_writer_that_is_gone(both: Both) -> None:
    channel, _, link = both
    link.close()
    for _ in range(10):
        say(channel, 1.0, S, b"x" * 10_000)
    assert channel.link is None
    assert not channel.waiting
    assert not channel.short
    channel.end(1.0, 0)
    channel.take_back()


def test_a_slot_that_is_none_is_not_taken_back(both: Both) -> None:
    channel, _, link = both
    link.sendall(b"\xff\xff\x00\x04")
    channel.take_back()
    assert len(channel.buffer()) == SLOT
    say(channel, 1.0, S, b"x" * 10_000)
    assert len(channel._free) == 3
