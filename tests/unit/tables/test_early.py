"""The entry points of tables that always have a worker: its process is started first."""

import gc
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from opensmtpd import early
from opensmtpd.backends.ldap.backend import LdapBackend
from opensmtpd.backends.sqlite.wal import remote
from opensmtpd_tables import dovecot, flat, ldap, mysql, passwd, redis, socketmap, sqlite
from opensmtpd_tables import early as entry

PLAIN = [dovecot, flat, mysql, passwd, redis, socketmap]


@pytest.fixture(autouse=True)
def garbage_collector() -> Iterator[None]:
    """Have it run again."""
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("start", "program", "worker"),
    [(entry.sqlite, sqlite, remote.WORKER), (entry.ldap, ldap, LdapBackend.worker)],
    ids=["sqlite", "ldap"],
)
def test_the_worker_of_the_program_is_started_first(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[], None], program: ModuleType, worker: str
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(early, "start", lambda worker, *_: calls.append(worker))
    monkeypatch.setattr(program, "main", lambda: calls.append("main"))
    start()
    assert calls == [worker, "main"]


@pytest.mark.parametrize("program", PLAIN, ids=lambda each: each.__name__)
def test_a_table_without_workers_only_has_no_garbage_collected(
    monkeypatch: pytest.MonkeyPatch, program: ModuleType
) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(program, "main", lambda: calls.append(gc.isenabled()))
    getattr(entry, program.__name__.rpartition(".")[2])()
    assert calls == [False]
