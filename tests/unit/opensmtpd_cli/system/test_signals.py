"""Signals that wait for the end of a block."""

import signal
from types import FrameType

import pytest

from opensmtpd_cli.system.signals import signals_held_back


def stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_takes_effect_at_the_end(number: int) -> None:
    done: list[int] = []

    def work() -> None:
        with signals_held_back(), signals_held_back():
            signal.raise_signal(number)
            done.append(number)

    old = signal.signal(number, stop)
    try:
        with pytest.raises(SystemExit) as ended:
            work()
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, old)
    assert done == [number]
    assert ended.value.code == 128 + number


def test_ignored_ones_stay_ignored() -> None:
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_held_back():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, old)
