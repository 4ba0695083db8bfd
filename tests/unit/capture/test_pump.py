"""The pump by itself: what waits for whom."""

import mmap
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest

from opensmtpd.capture.channel import SLOT, CaptureChannel, ChannelReader
from opensmtpd.capture.format import CapturedLines
from opensmtpd.capture.pump import Pump
from unit.support.captures import P, S


class Ends(NamedTuple):
    pump: Pump
    smtpd: socket.socket
    program: socket.socket
    writer: socket.socket
    memory: mmap.mmap
    wake: tuple[int, int]

    def turn(self, times: int = 50) -> None:
        """Have the pump look around so many times."""
        for _ in range(times):
            os.write(self.wake[1], b"x")
            self.pump.wait(self.wake[0])
            os.read(self.wake[0], 100)


@pytest.fixture
def ends() -> Iterator[Ends]:
    smtpd, ours = socket.socketpair()
    program, to_program = socket.socketpair()
    writer, link = socket.socketpair()
    memory = mmap.mmap(-1, SLOT * 8)
    channel = CaptureChannel(link, memory)
    pump = Pump(ours.fileno(), ours.fileno(), to_program.fileno(), channel)
    for each in (smtpd, program, writer):
        each.setblocking(False)
    wake = os.pipe()
    yield Ends(pump, smtpd, program, writer, memory, wake)
    channel.close()
    for end in (smtpd, ours, program, to_program, writer):
        end.close()
    for fd in wake:
        os.close(fd)


def test_bytes_go_both_ways_as_they_come(ends: Ends) -> None:
    ends.smtpd.send(b"half a li")
    ends.program.send(b"a\n")
    ends.turn()
    assert ends.program.recv(100) == b"half a li"
    assert ends.smtpd.recv(100) == b"a\n"
    frames = list(ChannelReader(ends.writer, ends.memory).feed(ends.writer.recv(1000)))
    said = [frame for _, frame in frames if isinstance(frame, CapturedLines)]
    assert sorted((frame.speaker, frame.data) for frame in said) == [
        (S, b"half a li"),
        (P, b"a\n"),
    ]


def test_a_side_that_does_not_read_makes_the_other_one_wait(ends: Ends) -> None:
    """No more is taken than fits into the sockets and one piece: memory is bounded."""
    taken = 0
    for _ in range(500):
        try:
            taken += ends.smtpd.send(b"x" * 10_000)
        except BlockingIOError:
            ends.turn(2)
    alone, other = socket.socketpair()
    with alone, other:
        alone.setblocking(False)
        room = 0
        try:
            while True:
                room += alone.send(b"x" * 10_000)
        except BlockingIOError:
            pass
    assert taken <= 2 * room + 2 * SLOT
    heard = 0
    while heard < taken:
        try:
            heard += len(ends.program.recv(1 << 20))
        except BlockingIOError:
            ends.turn(2)
    ends.program.send(b"y")  # and the other way was open all the time
    ends.turn()
    assert ends.smtpd.recv(10) == b"y"


def test_the_last_words_of_a_program_are_passed_on(ends: Ends) -> None:
    ends.program.send(b"z" * 100_000)
    ends.program.close()
    ends.pump.finish(0)
    assert len(ends.smtpd.recv(1 << 20)) == 100_000


def test_the_end_is_not_waited_for_where_nobody_reads(ends: Ends) -> None:
    try:
        while True:
            ends.program.send(b"z" * 1000)
            ends.turn(1)
    except BlockingIOError:
        pass
    ends.program.close()
    ends.pump.finish(0)  # returns
    assert ends.smtpd.recv(10) == b"z" * 10


def test_a_fault_of_the_capture_ends_it_and_no_more(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(CaptureChannel, "say", fail)
    ends.smtpd.send(b"mail")
    ends.turn()
    assert ends.program.recv(100) == b"mail"
    assert capfd.readouterr().err == "capture-failed reason=MemoryError\n"
    ends.program.send(b"answer")
    ends.turn()
    assert ends.smtpd.recv(100) == b"answer"


def test_a_child_of_the_program_that_goes_on_writing_is_left(ends: Ends) -> None:
    """It has the program's socket, which so has no end."""
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            with suppress(BlockingIOError):
                ends.program.send(b"x" * 10_000)
            with suppress(BlockingIOError):
                ends.smtpd.recv(1 << 20)

    child = threading.Thread(target=write)
    child.start()
    ends.pump.finish(0)  # returns
    done.set()
    child.join()
