import os
import socket
import subprocess
import sys
import time

import pytest

from opensmtpd.errors import ProtocolError
from opensmtpd.worker.ends import GONE, End, StemEnd, WorkerEnd, reap
from opensmtpd.worker.frames import pack
from opensmtpd.worker.stem_orders import STEM
from opensmtpd.worker.worker import FAILURE, VALUE


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


def _answered(answer: bytes, seconds: float = 10.0) -> tuple[object, WorkerEnd, socket.socket]:
    ours, theirs = socket.socketpair()
    end = WorkerEnd(ours, 0.0)
    theirs.sendall(answer)
    return end.ask(7, pack([7, "question"]), seconds), end, theirs


def test_a_question_and_its_reply() -> None:
    found, end, theirs = _answered(pack([VALUE, 7, ["reply"]]))
    assert found == (["reply"], None)
    assert theirs.recv(1 << 16) == pack([7, "question"])
    assert list(end.receive()) == []


def test_a_question_and_its_failure() -> None:
    found, _, _ = _answered(pack([FAILURE, 7, "ConfigError", "not this"]))
    assert isinstance(found, tuple)
    assert (found[0], str(found[1]), found[1].kind) == (None, "not this", "ConfigError")


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (pack([VALUE, 8, "of another"]), [[VALUE, 8, "of another"]]),
        (pack([VALUE, 7, 1]) + pack([VALUE, 8, 2]), [[VALUE, 7, 1], [VALUE, 8, 2]]),
        (pack([VALUE, 7, 1])[:-1], []),
        (pack([FAILURE, 7, "text"]), [[FAILURE, 7, "text"]]),
        (pack([FAILURE, 7, 1, "text"]), [[FAILURE, 7, 1, "text"]]),
        (pack("nonsense"), ["nonsense"]),
    ],
)
def test_what_is_no_reply_is_left_to_receive(answer: bytes, left: list[object]) -> None:
    found, end, theirs = _answered(answer)
    assert found is None
    assert list(end.receive()) == left
    if not left:
        theirs.sendall(pack([VALUE, 7, 1])[-1:])
        assert list(end.receive()) == [[VALUE, 7, 1]]


def test_a_question_that_is_not_answered() -> None:
    found, end, theirs = _answered(b"", 0.01)
    assert found is None
    theirs.sendall(pack([VALUE, 7, "late"]))
    assert list(end.receive()) == [[VALUE, 7, "late"]]


def test_a_question_to_one_that_has_ended() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    end = WorkerEnd(ours, 0.0)
    assert end.ask(7, pack([7, "question"]), 10.0) is None
    with pytest.raises(EOFError):
        list(end.receive())


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
