"""State on a real Valkey: the replies of the model, and of no more than one machine would give."""

import itertools
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from lab.peers.databases.valkey import ValkeyServer
from lab.support import ALONE
from opensmtpd.answer import Deferred
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.state.results import UNKNOWN, Attempt, Kept, Permit
from opensmtpd.backends.state.state import LastingState, server_state
from opensmtpd.backends.state.steps import GreylistTimes, Rate
from opensmtpd.backends.state.valkey.address import SharedPlace
from opensmtpd.backends.state.valkey.scripts import scripts
from opensmtpd.backends.state.valkey.store import ValkeyStore
from opensmtpd.errors import ConfigError
from unit.support.state_machine import StoreMachine
from unit.support.workers import pump

pytestmark = ALONE

T = TypeVar("T")
PATIENT = 20.0
"""Seconds of a deadline that no busy machine misses."""


def result(state: LastingState, deferred: Deferred[T]) -> T:
    ends: list[T] = []
    deferred.on_end(lambda value, error: ends.append(value) if error is None else None)
    pump(state._pool, lambda: ends)
    return ends[0]


@contextmanager
def at(url: str, prefix: str = "t:", deadline: float = PATIENT) -> Iterator[LastingState]:
    state = server_state(url, prefix=prefix, deadline=deadline)
    try:
        yield state
    finally:
        state.close()


def keys(valkey: ValkeyServer, prefix: str) -> list[str]:
    return sorted(valkey.execute("KEYS", f"{prefix}*").split())


def test_its_replies_are_those_of_the_model(valkey: ValkeyServer) -> None:
    """The scripts are those of filters, but for the line that asks the server's clock."""
    place = RedisPlace(path=str(valkey.socket))
    clock = "local now = tonumber(redis.call('GET', 'machine:now'))\n"
    names = itertools.count()

    class Machine(StoreMachine):
        def __init__(self) -> None:
            super().__init__()
            prefix = b"machine:%d:" % next(names)
            self._store = ValkeyStore(SharedPlace(place, prefix, False, b"s"), scripts(clock))
            self._store.link.open(time.monotonic() + PATIENT)
            self._store._open = True

        def take(self, step: list[Any]) -> Any:
            until = time.monotonic() + PATIENT
            self._set_clock(until)
            return self._store.take(until, *step)

        def _set_clock(self, until: float) -> None:
            now = b"%d" % self.model.now
            command = b"*3\r\n$3\r\nSET\r\n$11\r\nmachine:now\r\n$%d\r\n%b\r\n" % (len(now), now)
            self._store.link.exchange(command, 1, until)

        def teardown(self) -> None:
            self._store.close()

    chosen = settings(max_examples=60, stateful_step_count=40, deadline=None, database=None)
    run_state_machine_as_test(Machine, settings=chosen)


@pytest.mark.parametrize("way", ["tcp", "unix", "tls"])
def test_the_ways_to_it(valkey: ValkeyServer, way: str) -> None:
    url = {
        "tcp": f"redis://localhost:{valkey.port}/3",
        "unix": f"unix://{valkey.socket}?db=3",
        "tls": f"rediss://localhost:{valkey.tls_port}/3?ca_file={valkey.ca}",
    }[way]
    with at(url, f"ways-{way}:") as state:
        assert result(state, state.count(["a"], 3600.0, by=3)) == 3
        assert result(state, state.count(["a"], 3600.0)) == 4
    assert valkey.execute("KEYS", f"ways-{way}:*", database=3).split() == [f"ways-{way}:c=a"]


def test_a_stranger_with_tls_gets_nothing(
    valkey: ValkeyServer, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"rediss://localhost:{valkey.tls_port}?ca_file={valkey.stranger_ca}"
    with at(url) as state:
        assert result(state, state.count(["a"], 3600.0)) is UNKNOWN
    assert f"state-away store=localhost:{valkey.tls_port} reason=" in capfd.readouterr().err


def test_a_user_with_a_password_in_a_file(
    valkey: ValkeyServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    valkey.account("filters", "s3cret")
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    password.chmod(0o600)
    url = f"redis://filters@localhost:{valkey.port}?password_file={password}"
    with at(url, "user:") as state:
        assert result(state, state.count(["a"], 3600.0)) == 1
        shown = subprocess.run(["ps", "axww"], capture_output=True, check=True).stdout
        assert b"s3cret" not in shown
    password.write_text("another\n")
    with at(url, "user:") as state:
        assert result(state, state.count(["a"], 3600.0)) is UNKNOWN
    told = capfd.readouterr().err
    assert "WRONGPASS" in told
    assert "s3cret" not in told


def test_a_user_who_may_do_no_more_than_is_needed(valkey: ValkeyServer, tmp_path: Path) -> None:
    """Those that the manual pages name."""
    commands = ["+eval", "+evalsha", "+get", "+set", "+time", "+del"]
    valkey.execute("ACL", "SETUSER", "least", "reset", "on", ">pw", "~least:*", *commands)
    password = tmp_path / "password"
    password.write_text("pw\n")
    password.chmod(0o600)
    url = f"redis://least@localhost:{valkey.port}?password_file={password}"
    with at(url, "least:") as state:
        assert result(state, state.count(["a"], 3600.0)) == 1
        assert result(state, state.put(["a"], b"v", 60.0)) is True
        assert isinstance(result(state, state.get(["a"])), Kept)
        assert result(state, state.white(["a"], 1, 60.0, by=1)) is True
        assert result(state, state.forget(["a"])) is True
    with at(url, "others:") as state:
        assert result(state, state.count(["a"], 3600.0)) is UNKNOWN


def test_all_steps_by_the_clock_of_the_server(valkey: ValkeyServer) -> None:
    rate, times = Rate(1, 3600.0, burst=2), GreylistTimes(delay=3600.0)
    with at(f"unix://{valkey.socket}", "steps:") as state:
        assert result(state, state.allow(["a"], rate, cost=2)) == Permit(True, 0.0)
        denied = result(state, state.allow(["a"], rate))
        assert isinstance(denied, Permit)
        assert not denied.allowed
        assert 3000 < denied.after <= 3600
        found = result(state, state.greylist(["a"], times))
        assert found is not UNKNOWN
        assert found.attempt is Attempt.NEW
        assert result(state, state.put(["a"], b"\0\xff\r\n", 3600.0)) is True
        kept = result(state, state.get(["a"]))
        assert isinstance(kept, Kept)
        assert kept.value == b"\0\xff\r\n"
        assert 3000 < kept.left <= 3600
        assert result(state, state.white(["a"], 2, 3600.0, by=1)) is False
        assert result(state, state.white(["a"], 2, 3600.0, by=1)) is False  # within the hour
        assert result(state, state.white(["a"], 2, 3600.0, by=2)) is True
        assert result(state, state.white(["a"], 2, 3600.0)) is True
        assert keys(valkey, "steps:") == [f"steps:{kind}=a" for kind in "grvw"]
        assert result(state, state.forget(["a"])) is True
        assert keys(valkey, "steps:") == []


def test_all_keys_expire(valkey: ValkeyServer) -> None:
    with at(f"unix://{valkey.socket}", "expire:") as state:
        for step in (
            state.count(["a"], 100.0),
            state.allow(["a"], Rate(1, 100.0)),
            state.greylist(["a"], GreylistTimes(1.0, 100.0, 1.0)),
            state.put(["a"], b"v", 100.0),
            state.white(["a"], 1, 9.0, by=1),
            state.white(["a"], 1, 100.0),
        ):
            assert result(state, step) is not UNKNOWN
    for key in keys(valkey, "expire:"):
        assert 100 < int(valkey.execute("TTL", key)) <= 161


def test_what_others_have_put_there_is_as_good_as_none(valkey: ValkeyServer) -> None:
    with at(f"unix://{valkey.socket}", "odd:") as state:
        for kind in "crgvw":
            valkey.execute("RPUSH", f"odd:{kind}=a", "list")
            valkey.execute("SET", f"odd:{kind}=b", "1 2")
            valkey.execute("SET", f"odd:{kind}=c", "0 0 99999999999999999 poison")
        for part in "abc":
            assert result(state, state.get([part])) is None
        for part in "ab":
            assert result(state, state.white([part], 1, 60.0)) is False
            assert result(state, state.white([part], 1, 60.0, by=1)) is True
            assert result(state, state.count([part], 60.0, by=0)) == 0
            assert result(state, state.count([part], 60.0)) == 1
            assert result(state, state.allow([part], Rate(1, 60.0))) == Permit(True, 0.0)
            found = result(state, state.greylist([part], GreylistTimes()))
            assert found is not UNKNOWN
            assert found.attempt is Attempt.NEW


def test_with_a_secret_nobody_else_can_put_bytes(
    valkey: ValkeyServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    secret.chmod(0o600)
    url = f"unix://{valkey.socket}?keys=hashed&secret_file={secret}"
    with at(url, "seal:") as state:
        assert result(state, state.put(["who@example.org"], b"good", 60.0)) is True
        kept = result(state, state.get(["who@example.org"]))
        assert isinstance(kept, Kept)
        [key] = keys(valkey, "seal:")
        assert "who" not in key
        size = int(valkey.execute("STRLEN", key))
        valkey.execute("SETRANGE", key, str(size - 4), "evil")
        assert result(state, state.get(["who@example.org"])) is None
    assert "state-not-ours values=1" in capfd.readouterr().err


COUNTING = """
    import sys
    from opensmtpd.backends.state.state import server_state
    from opensmtpd.backends.state.steps import Rate

    state = server_state(sys.argv[1], prefix="eight:", deadline=60.0)
    allowed = done = 0
    def end(value, _):
        global allowed, done
        done += 1
        allowed += getattr(value, "allowed", False)
    for _ in range(400):
        state.count(["a"], 3600.0).on_end(end)
        state.allow(["a"], Rate(1, 3600.0, burst=100)).on_end(end)
    while done < 800:
        state._pool._catch_up(0.05)
    print(allowed)
"""


def test_eight_machines_lose_nothing_and_let_no_more_through(valkey: ValkeyServer) -> None:
    url = f"unix://{valkey.socket}"
    command = [sys.executable, "-c", textwrap.dedent(COUNTING), url]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(8)]
    outputs = [other.communicate()[0] for other in others]
    assert [other.returncode for other in others] == [0] * 8
    assert sum(map(int, outputs)) == 100
    with at(url, "eight:") as state:
        assert result(state, state.count(["a"], 3600.0, by=0)) == 3200


def ask_until_known(state: LastingState) -> None:
    end = time.monotonic() + 30
    while result(state, state.count(["until"], 3600.0)) is UNKNOWN:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("fault", ["pause", "kill", "restart", "clients"])
def test_an_outage_is_two_lines_and_no_exception(
    valkey: ValkeyServer, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with at(f"redis://localhost:{valkey.port}", f"out-{fault}:", deadline=0.5) as state:
        ask_until_known(state)
        capfd.readouterr()
        match fault:
            case "pause":
                valkey.pause()
            case "kill":
                valkey.kill9()
            case "restart":
                valkey.restart()
            case "clients":
                valkey.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        found = [result(state, state.count(["a"], 3600.0)) for _ in range(20)]
        if fault == "pause":
            assert found == [UNKNOWN] * 20
            valkey.resume()
        elif fault == "kill":
            assert found == [UNKNOWN] * 20
            valkey.start()
        else:  # the connection is made anew within the step
            assert found == list(range(1, 21))
        ask_until_known(state)
    lines = [line.split()[0] for line in capfd.readouterr().err.splitlines() if "state-" in line]
    assert lines == (["state-away", "state-back"] if fault in ("pause", "kill") else [])


def test_a_server_that_has_forgotten_the_scripts_is_sent_them(valkey: ValkeyServer) -> None:
    with at(f"unix://{valkey.socket}", "flush:") as state:
        assert result(state, state.count(["a"], 3600.0)) == 1
        valkey.execute("SCRIPT", "FLUSH")
        assert result(state, state.count(["a"], 3600.0)) == 2


def test_a_server_that_takes_no_writes_is_an_outage(
    valkey: ValkeyServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with at(f"unix://{valkey.socket}", "full:") as state:
        assert result(state, state.count(["a"], 3600.0)) == 1
        capfd.readouterr()
        try:
            valkey.execute("CONFIG", "SET", "maxmemory", "1")
            assert result(state, state.count(["a"], 3600.0)) is UNKNOWN
        finally:
            valkey.execute("CONFIG", "SET", "maxmemory", "0")
        ask_until_known(state)
    told = capfd.readouterr().err
    assert 'reason="it refuses a step: OOM"' in told
    assert told.count("state-") == 2


def test_a_worker_that_dies_is_replaced(valkey: ValkeyServer) -> None:
    with at(f"unix://{valkey.socket}", "dies:") as state:
        for number in range(5):
            assert result(state, state.count(["a"], 3600.0)) == number + 1
            os.kill(state._pool._crew.workers[0].pid, 9)


def test_a_url_that_cannot_be_used_is_told_at_the_start() -> None:
    with pytest.raises(ConfigError, match="did you mean prefix"):
        server_state("redis://localhost?prefx=a", prefix="t:")
