import os
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from opensmtpd.backends.network import names
from opensmtpd.backends.postgres.conninfo import PostgresPlace
from opensmtpd.backends.postgres.place import addressed, with_defaults


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGSERVICEFILE"):
        monkeypatch.delenv(name, raising=False)


def test_the_string_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "from-environment")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGPASSWORD", "secret")
    assert with_defaults({"port": "2"}) == {"host": "from-environment", "port": "2"}


def test_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq reads its file; the environment is as it was."""
    (tmp_path / "services").write_text("[mail]\nhost=of-the-service\nport=3\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    found = with_defaults({"service": "mail"})
    assert found == {"service": "mail", "host": "of-the-service", "port": "3"}
    assert "PGSERVICE" not in os.environ
    monkeypatch.setenv("PGSERVICE", "mail")
    assert with_defaults({"service": "mail"})["host"] == "of-the-service"
    assert os.environ["PGSERVICE"] == "mail"
    assert with_defaults({"service": "other"}) == {"service": "other", "port": "5432"}
    assert os.environ["PGSERVICE"] == "mail"


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, and libpq is not to ask for a name."""
    known: list[Any] = [
        (2, ("192.0.2.1", 5)),
        (2, ("192.0.2.1", 5)),
        (10, ("2001:db8::1", 5, 0, 0)),
    ]
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int, until: float) -> list[Any]:
        asked.append((host, port))
        return known

    monkeypatch.setattr(names, "resolve", resolve)
    until = monotonic() + 1
    assert addressed(PostgresPlace("name", "", "5"), until) == [
        PostgresPlace("name", "192.0.2.1", "5"),
        PostgresPlace("name", "2001:db8::1", "5"),
    ]
    for target in (
        PostgresPlace("/run", "", "5"),
        PostgresPlace("name", "192.0.2.9", "5"),
        PostgresPlace("", "", "5"),
    ):
        assert addressed(target, until) == [target]
    assert asked == [("name", 5)]
