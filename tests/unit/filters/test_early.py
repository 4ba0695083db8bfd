import sys

import pytest

from opensmtpd import early
from opensmtpd.dns.resolver import resolver
from opensmtpd_filters import auth, dkimsign, dnsbl, rdns
from opensmtpd_filters import early as entry

WORKERS = {
    "auth": [resolver.WORKER, auth.WORKER],
    "dkimsign": [dkimsign.SIGNING_WORKER],
    "dnsbl": [resolver.WORKER],
}
PROGRAMS = {"auth": auth, "dkimsign": dkimsign, "dnsbl": dnsbl}


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
