"""The watchdog: interrupts what runs too long, and nothing else."""

import signal
import sys
import time
from collections.abc import Iterator

import pytest

from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._runtime import watchdog
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import HandlerTimeout
from opensmtpd.log import log


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    before = signal.getsignal(signal.SIGALRM)
    yield Dispatcher(60.0, log)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, ...]]:
    """Return the timers that are set; they never go off."""
    found: list[tuple[float, ...]] = []
    monkeypatch.setattr(signal, "setitimer", lambda _, *times: found.append(times))
    return found


def go_off(dog: Watchdog) -> None:
    """Let the timer go off."""
    dog._look(signal.SIGALRM, sys._getframe())


def test_one_timer_for_many_calls(dispatcher: Dispatcher, timers: list[tuple[float, ...]]) -> None:
    dog = Watchdog(dispatcher)
    assert timers == []
    dog.watch()
    dog.watch()
    assert timers == [(2.5, 2.5)]


def test_no_timer_while_nothing_happens(
    dispatcher: Dispatcher, timers: list[tuple[float, ...]]
) -> None:
    dog = Watchdog(dispatcher)
    dog.watch()
    go_off(dog)
    assert timers == [(2.5, 2.5), (0,)]
    dog.watch()
    assert timers == [(2.5, 2.5), (0,), (2.5, 2.5)]


def test_a_call_that_is_found_twice_is_interrupted(
    dispatcher: Dispatcher, timers: list[object]
) -> None:
    dog = Watchdog(dispatcher)

    def act() -> None:
        dog.watch()
        go_off(dog)
        with pytest.raises(HandlerTimeout) as caught:
            go_off(dog)
        assert str(caught.value).startswith("lookup blocked for 5 s in line ")
        assert str(caught.value).endswith("/test_watchdog.py")

    dispatcher.call("lookup", act)


def test_one_that_swallows_it_is_interrupted_again_and_again(
    dispatcher: Dispatcher, timers: list[object]
) -> None:
    dog = Watchdog(dispatcher)

    def act() -> None:
        for _ in range(3):
            go_off(dog)
            with pytest.raises(HandlerTimeout):
                go_off(dog)

    dispatcher.call("lookup", act)


def test_short_calls_in_a_row_are_not(dispatcher: Dispatcher, timers: list[object]) -> None:
    dog = Watchdog(dispatcher)
    for _ in range(5):
        dispatcher.call("lookup", lambda: go_off(dog))
    assert dispatcher.count == 5


@pytest.mark.parametrize("name", ["update", "reload"])
def test_reading_everything_anew_takes_its_time(
    dispatcher: Dispatcher, timers: list[object], name: str
) -> None:
    dog = Watchdog(dispatcher)

    def act() -> None:
        for _ in range(2):
            for _ in range(12):  # 2.5 s each
                go_off(dog)
            with pytest.raises(HandlerTimeout, match=rf"^{name} blocked for 60 s in line "):
                go_off(dog)

    dispatcher.call(name, act)


def test_a_lookup_after_a_long_update_is_interrupted_in_its_own_time(
    dispatcher: Dispatcher, timers: list[object]
) -> None:
    dog = Watchdog(dispatcher)

    def long() -> None:
        for _ in range(5):
            go_off(dog)

    dispatcher.call("update", long)

    def act() -> None:
        go_off(dog)
        with pytest.raises(HandlerTimeout, match=r"^lookup blocked for 5 s in line "):
            go_off(dog)

    dispatcher.call("lookup", act)


def test_without_a_frame(dispatcher: Dispatcher, timers: list[object]) -> None:
    dog = Watchdog(dispatcher)

    def act() -> None:
        dog._look(signal.SIGALRM, None)
        with pytest.raises(HandlerTimeout, match=r"^fetch blocked for 5 s$"):
            dog._look(signal.SIGALRM, None)

    dispatcher.call("fetch", act)


@pytest.mark.parametrize("act", [lambda: time.sleep(60), lambda: exec("while True: pass")])
def test_with_real_signals(
    act: object, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "STALL", 0.05)
    dog = Watchdog(dispatcher)
    for _ in range(2):
        dog.watch()
        with pytest.raises(HandlerTimeout, match=r"^lookup blocked for 0\.05 s in line "):
            dispatcher.call("lookup", act)  # type: ignore[arg-type]
        assert dispatcher.running is None


def test_it_stops_when_there_is_nothing_left(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "STALL", 0.02)
    Watchdog(dispatcher).watch()
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0.01
    end = time.monotonic() + 20
    while signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0):
        time.sleep(0.001)
        assert time.monotonic() < end
