"""Workers for the tests of pools, and what the tests do to them."""

import gc
import os
import time
from collections.abc import Callable
from typing import Any

from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.worker import Pool, Worker


class Echo(Worker):
    """Replies with the request, or does what it says."""

    title = "echo"

    def load(self, setup: Any) -> Any:
        if setup == "bad":
            raise ConfigError("bad setup", path="/etc/echo")
        if setup == "broken":
            raise ValueError("a secret")
        if setup == "exit":
            os._exit(1)
        self.setup = setup
        return ["loaded", setup]

    def handle(self, request: Any) -> Any:
        match request:
            case "pid":
                return os.getpid()
            case "setup":
                return self.setup
            case "die":
                os._exit(1)
            case "collects garbage":
                return gc.isenabled()
            case "nap":
                time.sleep(0.3)
            case "hang":
                time.sleep(1e6)
            case "raise":
                raise ValueError("a secret")
            case "refuse":
                raise ConfigError("not this one")
            case "large":
                return b"x" * (2 << 20)
        return request


ECHO = f"{__name__}:Echo"


def pump(pool: Pool, until: Callable[[], object]) -> None:
    """Do what the loop does until ``until`` returns True; it must come within 20 seconds."""
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end, "the pool did not come to that"
        pool._catch_up(0.01)


def processes(pool: Pool) -> list[int]:
    """Return the process ids of a pool's stems and workers, in this order.

    One that is being made has none yet. A signal to process 0 would hit the tests themselves.
    """

    def ids() -> list[int]:
        return [end.pid for end in (*pool._crew.stems, *pool._crew.workers)]

    pump(pool, lambda: all(ids()))
    return ids()


def whole(pool: Pool) -> bool:
    """Return whether the pool has two stems and all its workers, and each has said hello."""
    crew = pool._crew
    ends = (*crew.stems, *crew.workers)
    return len(ends) == 2 + pool._count and all(end.pid and end.serves for end in ends)


class WrongNeeds(Worker):
    """Has needs of which no sandbox can be made."""

    needs = Needs(reads="/etc/hosts")  # type: ignore[arg-type]  # no tuple
