import os
import socket
import subprocess
import sys
import time

import pytest

from opensmtpd.errors import ProtocolError
from opensmtpd.worker.ends import GONE, End, StemEnd, reap
from opensmtpd.worker.frames import pack
from opensmtpd.worker.stem_orders import STEM


def test_frames_come_and_then_the_end() -> None:
    ours, theirs = socket.socketpair()
    end = End(ours)
    theirs.sendall(pack([1]) + pack([2])[:3])
    assert list(end.receive()) == [[1]]
    theirs.sendall(pack([2])[3:])
    theirs.close()
    assert list(end.receive()) == [[2]]
    with pytest.raises(EOFError):
        list(end.receive())


def test_garbage() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"\xff" * 64)
    with pytest.raises(ProtocolError):
        list(End(ours).receive())


def test_bytes_that_the_other_side_does_not_take_wait() -> None:
    ours, theirs = socket.socketpair()
    end = End(ours)
    frame = pack(b"x" * 900_000)
    end.send(frame)
    end.flush()
    assert end.full
    got = b""
    while len(got) < len(frame):
        got += theirs.recv(1 << 16)
        end.flush()
    assert got == frame
    assert not end.full


def test_an_order_to_a_stem_that_takes_no_more_is_none() -> None:
    ours, _theirs = socket.socketpair()
    stem = StemEnd(ours)
    other, given = socket.socketpair()
    count = 0
    while stem.fork(STEM, End(other), given):
        count += 1
        assert count < 100_000
    assert len(stem.asked) == count > 0


def test_reap_waits_for_children_alone_and_never_blocks() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    pids = GONE
    pids.clear()
    pids.extend([0, 1, ended.pid, running.pid, os.getpid()])
    until = time.monotonic() + 20
    while ended.pid in pids and time.monotonic() < until:
        reap()
    assert list(pids) == [running.pid]
    running.communicate()
