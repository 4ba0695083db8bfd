from pathlib import Path
from time import monotonic

import pytest

from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.resp import RespReply
from opensmtpd.backends.redis.servers import Servers
from opensmtpd.errors import ServerLate, ServerLost
from unit.support.scripted_server import says, scripted


class Clock:
    """Seconds that pass when a server takes them."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Named(RedisLink):
    """A link that answers with its name, or fails as ``mood`` says."""

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__(RedisPlace(name))
        self.mood = "well"
        self.opened: list[float] = []
        """The time that each connection had."""
        self.is_open = False
        self._clock = clock

    def open(self, until: float) -> None:
        self.opened.append(until - self._clock.now)
        if self.mood == "gone":
            raise ServerLost("Connection refused")
        if self.mood == "silent":
            self._clock.now = until
            raise ServerLate("it does not answer in time")
        self.is_open = True

    def exchange(self, data: bytes, count: int, until: float) -> list[RespReply]:
        if not self.is_open or self.mood in ("gone", "loading"):
            self.is_open = False
            raise ServerLost("it has closed the connection")
        if self.mood in ("silent", "slow"):
            self._clock.now = until
            raise ServerLate("it does not answer in time")
        return [self.place.host.encode()] * count

    def close(self) -> None:
        self.is_open = False


class Bench:
    """A master and a slave, asked as ``Reconnecting`` asks: a lost connection is made again."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.master, self.slave = Named("master", self.clock), Named("slave", self.clock)
        self.servers = Servers([self.master, self.slave], self.clock)
        self._open = False

    def ask(self) -> str:
        """Return the name of the server that answers within a second, or the error."""
        until = self.clock.now + 1
        try:
            return self._asked(until)
        except (ServerLost, ServerLate) as error:
            self._close()
            return type(error).__name__
        finally:
            assert self.clock.now <= until

    def _asked(self, until: float) -> str:
        try:
            if self._open:
                return self._exchanged(until)
        except ServerLost:
            self._close()
        self.servers.open(until)
        self._open = True
        return self._exchanged(until)

    def _exchanged(self, until: float) -> str:
        [reply] = self.servers.exchange(b"", 1, until)
        assert isinstance(reply, bytes)
        return reply.decode()

    def _close(self) -> None:
        self.servers.close()
        self._open = False


def test_the_first_is_asked() -> None:
    bench = Bench()
    assert [bench.ask(), bench.ask()] == ["master", "master"]
    assert bench.slave.opened == []


@pytest.mark.parametrize("mood", ["gone", "silent"])
def test_the_second_stands_in_for_the_first_within_the_question(mood: str) -> None:
    bench = Bench()
    assert bench.ask() == "master"
    bench.master.mood = mood
    assert bench.ask() == "slave"


@pytest.mark.parametrize("mood", ["gone", "silent"])
def test_the_second_is_asked_where_the_first_was_never_there(mood: str) -> None:
    bench = Bench()
    bench.master.mood = mood
    assert [bench.ask(), bench.ask()] == ["slave", "slave"]
    assert bench.master.opened[0] == 0.5  # the rest is for the slave


@pytest.mark.parametrize("mood", ["gone", "silent"])
def test_the_first_is_returned_to(mood: str) -> None:
    bench = Bench()
    bench.master.mood = mood
    names = []
    for _ in range(20):
        names.append(bench.ask())
        bench.clock.now += 1
    assert names == ["slave"] * 20
    bench.master.mood = "well"
    until = bench.clock.now + 5
    while bench.ask() == "slave":
        bench.clock.now += 0.1
        assert bench.clock.now < until
    assert not bench.slave.is_open
    assert [bench.ask() for _ in range(3)] == ["master"] * 3


def test_trials_are_rare_and_short() -> None:
    bench = Bench()
    bench.master.mood = "silent"
    assert bench.ask() == "slave"
    del bench.master.opened[:]
    start, spent = bench.clock.now, 0.0
    while bench.clock.now < start + 60:
        before = bench.clock.now
        assert bench.ask() == "slave"
        spent += bench.clock.now - before
        bench.clock.now += 0.01
    assert set(bench.master.opened) == {0.25}
    assert len(bench.master.opened) <= 18
    assert spent <= 4.5


def test_both_away() -> None:
    bench = Bench()
    bench.master.mood = bench.slave.mood = "gone"
    assert [bench.ask(), bench.ask()] == ["ServerLost", "ServerLost"]
    bench.slave.mood = "well"  # neither is ready to be tried again, and both are
    assert bench.ask() == "slave"


@pytest.mark.parametrize("mood", ["loading", "slow"])
def test_one_that_lets_us_in_and_answers_nothing_counts_as_away(mood: str) -> None:
    bench = Bench()
    bench.master.mood = mood
    names = []
    for _ in range(20):
        names.append(bench.ask())
        bench.clock.now += 1
    assert names == ["slave"] * 20
    bench.slave.mood = mood
    assert bench.ask().startswith("Server")


def test_the_error_names_the_server(tmp_path: Path) -> None:
    servers = Servers([RedisLink(RedisPlace(path=str(tmp_path / name))) for name in "ab"])
    with pytest.raises(ServerLost, match=f"unix:{tmp_path}/b: No such file"):
        servers.open(monotonic() + 10)


def test_the_log_tells_which_is_used(capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.ask()
    bench.master.mood = "gone"
    bench.ask()
    bench.ask()
    bench.master.mood = "well"
    bench.clock.now += 5
    bench.ask()
    assert capfd.readouterr().err.splitlines() == [
        "server-used server=slave:6379",
        "server-used server=master:6379",
    ]


def test_one_server_has_all_the_time(tmp_path: Path) -> None:
    link = RedisLink(RedisPlace(path=str(tmp_path / "s")))
    servers = Servers([link])
    with scripted(tmp_path / "s", says(b"+PONG\r\n", b"$1\r\na\r\n")):
        until = monotonic() + 10
        servers.open(until)
        assert servers.exchange(b"*1\r\n$1\r\nx\r\n", 1, until) == [b"a"]
        servers.close()
    with pytest.raises(ServerLost, match="not connected"):
        servers.exchange(b"", 1, until)
