"""Lines to and from a socket of Dovecot's."""

from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.dovecot.channel import LineChannel
from opensmtpd.errors import ServerLate, ServerLost
from unit.support.scripted_dovecot import connected, greets, later
from unit.support.scripted_server import Talk


def channel(folder: Path, talk: Talk) -> AbstractContextManager[LineChannel]:
    return connected(folder, talk, lambda path: LineChannel(path, b"", later()))


@pytest.mark.parametrize("size", [1, 5, 100])
def test_lines_come_in_pieces(tmp_path: Path, size: int) -> None:
    with channel(tmp_path, greets(b"VERSION\t1\t9\nSPID\t7\n", size=size)) as open:
        assert open.receive(later()) == [b"VERSION", b"1", b"9"]
        assert open.receive(later()) == [b"SPID", b"7"]


@pytest.mark.parametrize("version", [b"VERSION\t2\t0\n", b"VERSION\n", b"VERSION\tx\t1\n"])
def test_another_version(tmp_path: Path, version: bytes) -> None:
    with (
        channel(tmp_path, greets(version)) as open,
        pytest.raises(ServerLost, match="another version"),
    ):
        open.receive(later())


def test_a_request_and_its_reply(tmp_path: Path) -> None:
    with channel(tmp_path, greets(b"", b"OK\t1\ta\x01tb\n")) as open:
        assert open.ask(b"X\t1\n", later()) == (b"OK", [b"a\tb"])
    with channel(tmp_path, greets(b"", b"FAIL\t1\n")) as open:
        assert open.ask(b"X\t1\n", later()) == (b"FAIL", [])


@pytest.mark.parametrize("reply", [b"OK\t2\n", b"OK\n", b"\n", b"OK\t1\nOK\t1\n", b"OK\t1\nx"])
def test_the_reply_to_another_request_is_none(tmp_path: Path, reply: bytes) -> None:
    with (
        channel(tmp_path, greets(b"", reply)) as open,
        pytest.raises(ServerLost, match="another question"),
    ):
        open.ask(b"X\t1\n", later())


def test_what_came_before_it_was_asked_for(tmp_path: Path) -> None:
    with channel(tmp_path, greets(b"SPID\t7\nOK\t1\n")) as open:
        assert open.receive(later()) == [b"SPID", b"7"]
        with pytest.raises(ServerLost, match="more than it was asked"):
            open.ask(b"X\t1\n", later())


def test_silence(tmp_path: Path) -> None:
    with channel(tmp_path, greets(b"SPID")) as open, pytest.raises(ServerLate):
        open.receive(monotonic() + 0.05)
