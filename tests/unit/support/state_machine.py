"""Random steps and times, for a store and for the model of it: both must reply the same."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from opensmtpd.backends.state.steps import ALLOW, COUNT, FORGET, GET, GREYLIST, PUT, WHITE
from unit.support.state_model import StateModel

KEYS = st.sampled_from([b"=a", b"=b", b"#\xff\x00"])
SECONDS = st.integers(1, 60)
STORIES: dict[str, tuple[int, list[tuple[int, int]]]] = {
    "within 30 seconds it is counted once": (3, [(0, 1), (9, 2), (25, 1), (5, 1), (29, 1)]),
    "who only looks prolongs nothing": (2, [(0, 1), (30, 0), (30, 1)]),
    "it is white 60 seconds after it was seen": (2, [(0, 2), (59, 0), (59, 0), (60, 0)]),
    "a clock was ahead when it was seen": (2, [(0, 2), (9, 0), (-1, 0)]),
    "a clock was ahead when it came": (2, [(0, 2), (9, 1), (-1, 0)]),
}
"""Keys on their way to white, which chance seldom tells: how often is enough, and the visits.

A visit is the seconds until it, and how often it says at once that the key has come.
"""


class StoreMachine(RuleBasedStateMachine):
    """Compares a store, which a subclass makes, with the model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = StateModel()

    def take(self, step: list[Any]) -> Any:
        """Return the store's reply at ``model.now``."""
        raise NotImplementedError

    def _same(self, *step: Any) -> None:
        expected = self.model.take(list(step))
        assert self.take(list(step)) == expected, step

    def _white(self, key: bytes, by: int, enough: int, again: int, keep: int) -> None:
        self._same(WHITE, key, by, enough, again * 1_000_000, keep * 1_000_000)

    @rule(seconds=st.integers(-40, 90), microseconds=st.sampled_from([0, 0, 1, -1]))
    def wait(self, seconds: int, microseconds: int) -> None:
        """Let time pass; the clock may be set back."""
        self.model.now += seconds * 1_000_000 + microseconds

    @rule(key=KEYS, by=st.integers(0, 5), window=SECONDS)
    def count(self, key: bytes, by: int, window: int) -> None:
        self._same(COUNT, key, by, window * 1_000_000)

    @rule(
        key=KEYS,
        interval=st.sampled_from([1, 7, 333_334, 10_000_000]),
        burst=st.integers(1, 5),
        cost=st.integers(1, 5),
        wait=st.sampled_from([0, 0, 1_000_000, 60_000_000]),
    )
    def allow(self, key: bytes, interval: int, burst: int, cost: int, wait: int) -> None:
        cost = min(cost, burst)
        self._same(ALLOW, key, cost * interval, burst * interval, wait)

    @rule(key=KEYS, delay=SECONDS, window=SECONDS, keep=SECONDS)
    def greylist(self, key: bytes, delay: int, window: int, keep: int) -> None:
        self._same(GREYLIST, key, *(each * 1_000_000 for each in (delay, window, keep)))

    @rule(
        key=KEYS,
        by=st.sampled_from([0, 0, 1, 1, 1, 2, 4]),
        enough=st.integers(1, 4),
        again=SECONDS,
        keep=SECONDS,
    )
    def white(self, key: bytes, by: int, enough: int, again: int, keep: int) -> None:
        self._white(key, by, enough, again, keep)

    @rule(key=KEYS, story=st.sampled_from(sorted(STORIES)))
    def tell(self, key: bytes, story: str) -> None:
        enough, visits = STORIES[story]
        self._same(FORGET, key)
        for wait, by in visits:
            self.model.now += wait * 1_000_000
            self._white(key, by, enough, 30, 60)

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        self._same(GET, key)

    @rule(key=KEYS, value=st.binary(max_size=40), seconds=SECONDS)
    def put(self, key: bytes, value: bytes, seconds: int) -> None:
        self._same(PUT, key, value, seconds * 1_000_000)

    @rule(key=KEYS)
    def forget(self, key: bytes) -> None:
        self._same(FORGET, key)
