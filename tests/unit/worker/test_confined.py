"""What stems and workers can do when they are confined, and what not."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd import needs
from opensmtpd.errors import ConfigError
from opensmtpd.worker import Pool
from unit.support.confined import missing
from unit.support.prying import ATTEMPTS, CONFINED, FREE, PRYING, status
from unit.support.workers import processes, pump, whole

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"this machine has no sandbox: {missing()}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="reads the status of processes that hide it"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_text("first")
    return path


@pytest.fixture
def pool(file: Path) -> Iterator[Pool]:
    made = Pool(PRYING, str(file))
    pump(made, lambda: whole(made))
    yield made
    made.close()


def test_a_worker_does_what_it_needs_and_nothing_else(pool: Pool, file: Path) -> None:
    for what in ATTEMPTS:
        assert pool.request([what, str(file)]) in ("EACCES", "EPERM"), what
    assert file.read_text() == "first"


def test_needs_that_cannot_be_are_told_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"^TypeError in a worker that loads$"):
        Pool("unit.support.workers:WrongNeeds")


def test_every_process_is_confined_and_named(pool: Pool) -> None:
    found = processes(pool)
    assert [status(pid) for pid in found] == [CONFINED] * len(found)
    names = [Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0") for pid in found]
    assert all(name.endswith((b"prying (stem)", b"prying")) for name in names)


def test_data_that_was_replaced_is_loaded_again(pool: Pool, file: Path) -> None:
    new = file.with_name("new")
    new.write_text("second")
    new.rename(file)
    assert pool.reload(str(file)) == "second"
    for _ in range(20):  # as many as Landlock has layers, and some more
        pool.reload(str(file))
    assert pool.request(["read", str(file)]) in ("EACCES", "EPERM")


def test_data_elsewhere_is_not_loaded(pool: Pool) -> None:
    with pytest.raises(ConfigError, match="PermissionError"):
        pool.reload("/etc/passwd")
    assert pool.loaded == "first"


def test_each_process_that_is_killed_is_replaced(pool: Pool, file: Path) -> None:
    for _ in range(3):
        for pid in processes(pool):
            os.kill(pid, signal.SIGKILL)
            pump(pool, lambda pid=pid: pid not in processes(pool) and whole(pool))  # type: ignore[misc]
            assert pool.request(["read", str(file)]) in ("EACCES", "EPERM")
    assert [status(pid) for pid in processes(pool)] == [CONFINED] * len(processes(pool))


def test_without_a_sandbox(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_sandboxed", False)
    pool = Pool(PRYING, str(file))
    pump(pool, lambda: whole(pool))
    assert pool.request(["read", "/etc/passwd"]) == "done"
    assert {tuple(status(pid).items()) for pid in processes(pool)} == {tuple(FREE.items())}
    pool.close()


def test_a_worker_that_may_do_anything(tmp_path: Path) -> None:
    pool = Pool("unit.support.workers:Echo", "x")
    pump(pool, lambda: whole(pool))
    for pid in processes(pool):
        assert status(pid) == {"NoNewPrivs": "1", "Seccomp": "0"}
    pool.close()
