import socket
from threading import Thread

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.worker import Loading
from opensmtpd.worker.ends import GONE, StemEnd
from opensmtpd.worker.frames import FRAME_MAX, LOADED_MAX, FrameBuffer, pack
from opensmtpd.worker.stem_orders import LOAD
from opensmtpd.worker.worker import FAILURE, HELLO, VALUE
from unit.support.child import PATIENCE


def loading(*frames: object) -> tuple[Loading, socket.socket]:
    """Return a loading whose stem has said ``frames``."""
    ours, theirs = socket.socketpair()
    theirs.sendall(b"".join(map(pack, frames)))
    return Loading(StemEnd(ours)), theirs


def test_the_data_of_a_load() -> None:
    load, stem = loading([HELLO, 0, 7], [VALUE, 0, [False, {"keys": 2}]])
    assert load.load("setup") == {"keys": 2}
    assert load.in_order is False
    assert list(FrameBuffer().feed(stem.recv(100))) == [[LOAD, "setup"]]


def test_a_load_that_fails() -> None:
    load, _stem = loading([FAILURE, 0, "ConfigError", "/f: bad; mend it"])
    with pytest.raises(ConfigError, match=r"^/f: bad; mend it$"):
        load.load(None)
    load, _stem = loading([FAILURE, 0, "KeyError", ""])
    with pytest.raises(ConfigError, match=r"^KeyError in a worker that loads$"):
        load.load(None)


@pytest.mark.parametrize("frame", [None, [], [VALUE], 7, [VALUE, 0, 1], [FAILURE, 0]])
def test_a_stem_that_talks_nonsense(frame: object) -> None:
    load, _stem = loading(frame)
    with pytest.raises(ConfigError, match="a worker ended while it was loading"):
        load.load(None)


def test_a_stem_that_is_silent_or_gone() -> None:
    load, stem = loading()
    with pytest.raises(ConfigError, match="does not end its loading"):
        load.load(None, within=0.05)
    stem.close()
    with pytest.raises(ConfigError, match="a worker ended while it was loading"):
        load.load(None)


def test_setup_that_is_not_plain() -> None:
    load, _stem = loading()
    with pytest.raises(ConfigError, match="not plain data"):
        load.load(object())


def test_more_data_than_a_request_may_hold() -> None:
    data = ["example.com"] * 200_000
    assert len(pack(data, LOADED_MAX)) > FRAME_MAX
    ours, theirs = socket.socketpair()
    said = pack([VALUE, 0, [True, data]], LOADED_MAX)
    sender = Thread(target=theirs.sendall, args=[said])
    sender.start()
    assert Loading(StemEnd(ours)).load(None) == data
    sender.join()


@pytest.mark.parametrize("forgotten", [True, False])
def test_one_that_is_not_used_ends_and_is_waited_for(forgotten: bool) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(pack([HELLO, 0, 7]) + pack([FAILURE, 0, "ConfigError", "bad"]))
    GONE.clear()
    load = Loading(StemEnd(ours))
    with pytest.raises(ConfigError, match="bad"):
        load.load(None)
    assert list(GONE) == []
    if not forgotten:
        load.close()
    del load
    assert list(GONE) == [7]
    theirs.settimeout(PATIENCE)
    theirs.recv(100)
    assert theirs.recv(100) == b""
