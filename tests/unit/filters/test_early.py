import gc
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from opensmtpd import early
from opensmtpd.backends.state import state
from opensmtpd.dns.resolver import resolver
from opensmtpd.mail.milter import client as milters
from opensmtpd.mail.rspamd import scan
from opensmtpd_filters import (
    archive,
    auth,
    dkimsign,
    dnsbl,
    greylist,
    headers,
    limit,
    metrics,
    milter,
    rdns,
    rspamd,
    senderscore,
)
from opensmtpd_filters import early as entry

WORKERS = {
    "archive": [archive.WORKER],
    "auth": [resolver.WORKER, auth.WORKER],
    "dkimsign": [dkimsign.SIGNING_WORKER],
    "dnsbl": [resolver.WORKER],
    "milter": [milters.WORKER],
    "rspamd": [scan.WORKER],
    "senderscore": [resolver.WORKER],
}
PROGRAMS = {
    "archive": archive,
    "auth": auth,
    "dkimsign": dkimsign,
    "dnsbl": dnsbl,
    "milter": milter,
    "rspamd": rspamd,
    "senderscore": senderscore,
}


@pytest.fixture(autouse=True)
def garbage_collector() -> Iterator[None]:
    """Have it run again."""
    yield
    gc.enable()


@pytest.mark.parametrize("name", WORKERS)
def test_the_workers_of_the_program_are_started_first(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(early, "start", calls.append)
    monkeypatch.setattr(PROGRAMS[name], "main", lambda: calls.append("main"))
    getattr(entry, name)()
    assert calls == [*WORKERS[name], "main"]


@pytest.mark.parametrize("main", ["main", "main_fcrdns"])
@pytest.mark.parametrize(
    ("words", "started"),
    [
        ([], []),
        (["--rdns", "junk", "--nameserver", "192.0.2.1"], []),
        (["--verify"], [resolver.WORKER]),
        (["--rdns", "reject", "--helo-dns=junk"], [resolver.WORKER]),
        (["--helo-dns", "junk"], [resolver.WORKER]),
    ],
)
def test_filter_rdns_has_a_resolver_only_where_it_asks(
    main: str, words: list[str], started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(early, "start", calls.append)
    monkeypatch.setattr(rdns, main, lambda: calls.append(main))
    monkeypatch.setattr(sys, "argv", ["filter-rdns", *words])
    getattr(entry, "rdns" if main == "main" else "fcrdns")()
    assert calls == [*started, main]


@pytest.mark.parametrize(
    ("words", "worker"),
    [
        ([], state.MEMORY_WORKER),
        (["-passtime", "60", "-wl-ip", "/etc/mail/spared"], state.MEMORY_WORKER),
        (["--state", "/var/state.db"], state.FILE_WORKER),
        (["--state=/var/state.db", "-n"], state.FILE_WORKER),
        (["-n", "--state", "redis://valkey.example.org/0?prefix=a:"], state.VALKEY_WORKER),
        (["--state=unix:///run/valkey/valkey.sock"], state.VALKEY_WORKER),
        (["--state", "redis://a", "--state", "/var/state.db"], state.FILE_WORKER),
        (["--state"], state.MEMORY_WORKER),
    ],
)
def test_filters_with_a_state_have_its_worker(
    words: list[str], worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(early, "start", calls.append)
    for program, start in ((greylist, entry.greylist), (limit, entry.limit)):
        monkeypatch.setattr(program, "main", lambda: calls.append("main"))
        monkeypatch.setattr(sys, "argv", ["filter", *words])
        start()
    assert calls == [resolver.WORKER, worker, "main", worker, "main"]


@pytest.mark.parametrize(
    ("program", "main", "start"),
    [
        (headers, "main", entry.headers),
        (metrics, "main", entry.metrics),
        (rdns, "main", entry.rdns),
    ],
    ids=["headers", "metrics", "rdns"],
)
def test_a_filter_without_workers_only_has_no_garbage_collected(
    monkeypatch: pytest.MonkeyPatch, program: ModuleType, main: str, start: Callable[[], None]
) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(sys, "argv", ["filter"])
    monkeypatch.setattr(program, main, lambda: calls.append(gc.isenabled()))
    start()
    assert calls == [False]
