"""No answer is older than a change that was complete before its question was asked.

A file system of plain data stands for the real one: its clock has ticks, is set back and forth, and
may be another one than ours; files are written, exchanged, and given any time of their contents;
a link leads now to one, now to the other.
"""

from collections.abc import Callable, Hashable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.backends.rest import STEP, Rest, Status
from opensmtpd.table import Service, Table
from unit.support.lookups import HELLO, answer, lookup

SECOND = 10**9
START = 1_000_000.0
TIMES = st.sampled_from([0.0, 0.001, 0.004, 0.3, 0.9, 1.0, 1.1, 1.6, 5.0, 3600.0])
KEYS = st.sampled_from([b"a", b"b", b"c"])


class World:
    """Two clocks of the machine, one of the file system, and a file."""

    def __init__(self, tick: int, skew: float | None) -> None:
        self.tick = tick
        self.steady, self.wall = 100.0, START
        self.skew = skew
        """How far the file system's clock is off; None where it is the wall clock."""
        self.writes = 0
        self.content = 0
        self.status: Status = (2, 1, 1, 0, 0)  # on another device
        self.write()
        self.other = self.content, self.status
        self.status = (1, 1, 1, 0, 0)
        self.write()

    def now(self) -> int:
        clock = self.wall if self.skew is None else START + self.steady + self.skew
        return int(clock * SECOND) // self.tick * self.tick

    def flip(self) -> None:
        """Have the link lead to the other file; this one stays as it is."""
        (self.content, self.status), self.other = self.other, (self.content, self.status)

    def _new(self) -> None:
        self.writes += 1
        self.content = self.writes

    def write(self) -> None:
        self._new()
        device, inode, size, _, _ = self.status
        self.status = device, inode, size, self.now(), self.now()

    def exchange(self, inode: int, time: int) -> None:
        """Another file takes the name; its number may be that of one that is gone."""
        self._new()
        device, _, size, _, _ = self.status
        self.status = device, inode, size, time, self.now()

    def write_with_time(self, time: int) -> None:
        """As ``cp -p`` and rsync write."""
        self._new()
        self.status = *self.status[:3], time, self.now()


class File(Table):
    """Answers with the content of the file."""

    services = (Service.STRING,)

    def __init__(self, world: World) -> None:
        self.world = world
        self.rest = Rest(lambda: world.steady, lambda: world.wall)
        self.before: Callable[[], object] = int
        self.behind: Callable[[], object] = int
        self.asked = 0

    def stamp(self, service: Service) -> Hashable | None:
        return self.rest.stamp(self.world.status)

    def lookup(self, service: Service, key: str) -> str:
        self.asked += 1
        self.before()
        value = f"{key} {self.world.content}"
        self.behind()
        return value


class Model(RuleBasedStateMachine):
    @initialize(
        tick=st.sampled_from([1, SECOND // 250, SECOND]),
        skew=st.sampled_from([None, None, -5.0, 0.0, 3.0]),
    )
    def begin(self, tick: int, skew: float | None) -> None:
        self.world = World(tick, skew)
        self.table = File(self.world)
        self.connection = TableConnection(self.table)
        self.connection.receive(HELLO, 0.0)
        self.connection.data_to_send()

    def say(self, key: bytes) -> bytes:
        self.connection.receive(lookup(key, b"string"), 0.0)
        return self.connection.data_to_send()

    def expected(self, key: bytes, content: int) -> bytes:
        return answer(b"found|%s %d" % (key, content))

    @rule(key=KEYS)
    def ask(self, key: bytes) -> None:
        assert self.say(key) == self.expected(key, self.world.content)

    @rule(seconds=TIMES)
    def wait(self, seconds: float) -> None:
        self.world.steady += seconds
        self.world.wall += seconds

    @rule(key=KEYS, seconds=st.sampled_from([0.95, 1.0, 1.6]), write=st.booleans())
    def rest_and_ask(self, key: bytes, seconds: float, write: bool = False) -> None:
        """Get an answer that is kept, if it rests long enough."""
        self.ask(key)
        self.wait(seconds)
        self.ask(key)
        if write:
            self.world.write()
            self.ask(key)

    @rule(seconds=TIMES, key=KEYS, back=st.booleans())
    def set_the_clock(self, seconds: float, key: bytes, back: bool) -> None:
        """And ask: it must be noticed before it is set to what it was."""
        self.world.wall += -seconds if back else seconds
        self.ask(key)

    @rule(key=KEYS, back=st.booleans())
    def write_at_the_time_of_the_last_write(self, key: bytes, back: bool) -> None:
        """By a clock that is set back, or that was and goes there once more."""
        if back:
            self.set_the_clock(5.0, key, back=True)
        self.rest_and_ask(key, 1.6)
        away = self.world.status[4] / SECOND + 0.0005 - self.world.wall
        if away < 0:
            self.set_the_clock(-away, key, back=True)
        else:
            self.wait(away)
        self.world.write()
        self.ask(key)

    @rule(seconds=st.floats(-STEP / 8, STEP / 8))
    def set_the_clock_a_little(self, seconds: float) -> None:
        self.world.wall += seconds

    @rule()
    def write(self) -> None:
        self.world.write()

    @rule()
    def flip(self) -> None:
        self.world.flip()

    @rule(inode=st.integers(1, 2), same=st.booleans())
    def exchange(self, inode: int, same: bool) -> None:
        self.world.exchange(inode, self.world.status[3] if same else 0)

    @rule(same=st.booleans())
    def write_with_time(self, same: bool) -> None:
        self.world.write_with_time(self.world.status[3] if same else 0)

    @rule(key=KEYS, behind=st.booleans(), flip=st.booleans())
    def change_amid_a_lookup(self, key: bytes, behind: bool, flip: bool) -> None:
        content = self.world.content
        act = self.world.flip if flip else self.world.write
        setattr(self.table, "behind" if behind else "before", act)
        said = self.say(key)
        self.table.before = self.table.behind = int
        assert said in [self.expected(key, each) for each in (content, self.world.content)]
        if flip:
            self.world.flip()
        self.ask(key)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=200, stateful_step_count=40)


def test_the_model_keeps_answers() -> None:
    model = Model()
    model.begin(tick=SECOND, skew=None)
    for _ in range(2):
        model.rest_and_ask(b"a", 1.6)
    asked = model.table.asked
    for _ in range(10):
        model.ask(b"a")
    assert model.table.asked == asked
    model.write()
    model.ask(b"a")
    assert model.table.asked == asked + 1


def test_a_write_within_the_tick_of_the_last_one() -> None:
    """Of a whole second: a file rests longer than that."""
    model = Model()
    model.begin(tick=SECOND, skew=None)
    model.rest_and_ask(b"a", 0.95, write=True)
