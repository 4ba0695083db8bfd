import pytest

from opensmtpd import early
from opensmtpd.dns.resolver import resolver
from opensmtpd_filters import auth, dkimsign, dnsbl
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
