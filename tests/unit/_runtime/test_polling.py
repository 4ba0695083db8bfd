"""Waiting for descriptors, with and without a limit below their number."""

import os
import resource
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from opensmtpd._runtime.polling import Poll


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    pair = os.pipe()
    yield pair
    for end in pair:
        os.close(end)


@pytest.mark.parametrize("limited", [False, True])
def test_what_is_ready(ends: tuple[int, int], limited: bool) -> None:
    reading, writing = ends
    poll = Poll()
    poll.register(reading, select.POLLIN)
    poll.register(writing, 0)

    def ready() -> list[tuple[int, int]]:
        if not limited:
            return sorted(poll.poll(0))
        with no_descriptor_left():
            return sorted(poll.poll(0))

    assert ready() == []
    poll.register(writing, select.POLLOUT)
    assert ready() == [(writing, select.POLLOUT)]
    os.write(writing, b"x")
    assert ready() == sorted([(reading, select.POLLIN), (writing, select.POLLOUT)])
    poll.unregister(writing)
    assert ready() == [(reading, select.POLLIN)]


def test_the_kernel_refuses_poll_there(ends: tuple[int, int]) -> None:
    """The reason for Poll: if this ever passes, it is not needed any more."""
    poll = select.poll()
    poll.register(ends[0], select.POLLIN)
    with no_descriptor_left(), pytest.raises(OSError, match="Invalid argument"):
        poll.poll(0)


def test_both_events_of_a_descriptor() -> None:
    one, other = socket.socketpair()
    with one, other:
        other.send(b"x")
        poll = Poll()
        poll.register(one.fileno(), select.POLLIN | select.POLLOUT)
        with no_descriptor_left():
            assert poll.poll(None) == [(one.fileno(), select.POLLIN | select.POLLOUT)]


def test_a_time_without_events(ends: tuple[int, int]) -> None:
    poll = Poll()
    poll.register(ends[0], select.POLLIN)
    with no_descriptor_left():
        assert poll.poll(1.0) == []
