"""The worker of password hashes, in its own process: its limits, and what it replies."""

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.errors import WorkerError
from opensmtpd.table.passwords import cost
from opensmtpd.table.passwords.worker import Hashes
from opensmtpd.worker import Pool
from unit.support.workers import pump, whole

ARGON2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
LANES = "$argon2id$v=19$m=64,t=2,p=4$c2FsdHNhbHQ$5ZB9DE9v+N9Wuo/6/9SV3Lq0zkM"
LARGEST = f"$argon2id$v=19$m={cost.MEMORY_MAX >> 10},t=1,p=8$c2FsdHNhbHQ$" + 27 * "A"


class Curious(Hashes):
    """Also tells about its process, and allocates what it is told to."""

    def handle(self, request: Any) -> Any:
        if request == "limits":
            kinds = (resource.RLIMIT_AS, resource.RLIMIT_CORE, resource.RLIMIT_NPROC)
            return [list(resource.getrlimit(kind)) for kind in kinds]
        if isinstance(request, int):
            return len(bytearray(request))
        if request == "modules":
            return sorted({"argon2.low_level", "bcrypt", "passlib.hash"} & sys.modules.keys())
        return super().handle(request)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(f"{__file__}:Curious", deadline=60)
    yield pool
    pool.close()


def test_memory_core_and_processes_are_limited(pool: Pool) -> None:
    memory = cost.MEMORY_MAX + (192 << 20)
    assert pool.request("limits") == [[memory, memory], [0, 0], [0, 0]]


def test_no_more_memory_than_that_can_be_had(pool: Pool) -> None:
    with pytest.raises(WorkerError) as caught:
        pool.request(cost.MEMORY_MAX + (192 << 20))
    assert caught.value.kind == "MemoryError"
    assert pool.request(1 << 20) == 1 << 20


def test_a_hash_of_the_largest_memory_and_most_lanes_can_be_computed(pool: Pool) -> None:
    assert pool.request(["x", LARGEST, "alice"]) is False


def test_lanes_need_no_threads(pool: Pool) -> None:
    """Nothing but root may start any there."""
    assert pool.request(["pw", LANES, "alice"]) is True
    assert pool.request(["pv", LANES, "alice"]) is False


@pytest.mark.skipif(sys.platform != "linux", reason="as proc(5) shows it")
def test_it_is_seen_by_its_name(pool: Pool) -> None:
    pump(pool, lambda: whole(pool))
    title = Path(f"/proc/{pool._crew.workers[0].pid}/cmdline").read_bytes()
    assert title.rstrip(b"\0").endswith(b": hashes")


def test_the_libraries_are_loaded_before_the_first_request(pool: Pool) -> None:
    assert pool.request("modules") == ["argon2.low_level", "bcrypt", "passlib.hash"]


def test_replies() -> None:
    hashes = Hashes()
    assert hashes.handle(["password", ARGON2, "alice"]) is True
    assert hashes.handle(["Password", ARGON2, "alice"]) is False
    assert hashes.handle(["password", None, "alice"]) is False
    fault = "alice: cannot check an unknown kind of hash: it is malformed"
    assert hashes.handle(["password", "$new$what", "alice"]) == fault


def test_it_is_another_process(pool: Pool) -> None:
    assert pool._crew.workers[0].pid != os.getpid()
