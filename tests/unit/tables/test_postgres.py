"""table-postgres in one process with its worker, and a server that says what a test has it say."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opensmtpd import early
from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.backends.postgres import config
from opensmtpd.backends.postgres.config import PostgresBackend
from opensmtpd_tables import early as entry
from opensmtpd_tables import postgres
from unit.support.postgres_server import Rows, place, refusal, serves
from unit.support.scripted_server import Talk as Script
from unit.support.scripted_server import scripted
from unit.support.table_talk import Talk, flags, program

QUERIES = (
    "query_alias SELECT target FROM aliases WHERE name = $1",
    "query_credentials SELECT name, hash FROM users WHERE name = $1",
    "query_userinfo SELECT uid, gid, home FROM users WHERE name = $1",
    "query_netaddr SELECT name FROM networks WHERE name = $1",
    "query_domain SELECT name FROM domains WHERE name = $1",
    "fetch_source SELECT address FROM sources",
)
COLUMNS = {"query_credentials": 2, "query_userinfo": 3}
PARAMETERS = {"fetch_source": 0}
TABLE: dict[tuple[str, str], Rows | bytes] = {
    ("query_alias", "root"): [[b"alice"], [None], [b""], [b"bob"]],
    ("query_alias", "nil"): [[None]],
    ("query_alias", "feed"): [[b"a\nb"]],
    ("query_alias", "denied"): refusal(b"42501", b"permission denied"),
    ("query_credentials", "alice"): [[b"alice", b"$2b$x"]],
    ("query_credentials", "locked"): [[b"locked", None]],
    ("query_userinfo", "alice"): [[b"1000", b"100", b"/home/alice"]],
    ("query_userinfo", "odd"): [[b"1000", b"staff", b"/home/odd"]],
    ("query_netaddr", "2001:db8::/32"): [[b"2001:db8::/32"]],
    ("query_domain", "*.example.org"): [[b"*.example.org"]],
    ("fetch_source", ""): [[b"192.0.2.2"], [b"192.0.2.1"], [b"192.0.2.2"]],
}


def answer(name: str, key: str) -> Rows | bytes:
    return TABLE.get((name, key), [])


def written(folder: Path, *lines: str) -> Path:
    path = folder / "postgres.conf"
    path.write_text("".join(f"{line}\n" for line in (f"conninfo host={folder} user=u", *lines)))
    path.chmod(0o600)
    return path


@contextmanager
def talking(folder: Path, *scripts: Script) -> Iterator[Talk]:
    with scripted(place(folder), *scripts):
        table = NetworkTable(PostgresBackend, flags(written(folder, *QUERIES)))
        table.start()
        try:
            yield Talk(table)
        finally:
            table.stop()


def well() -> Script:
    return serves(answer, parameters=PARAMETERS, columns=COLUMNS)


def test_answers(tmp_path: Path) -> None:
    with talking(tmp_path, well()) as talk:
        assert len(talk.services) == 12
        assert talk.lookup("alias", "root") == "found|alice, bob"
        assert talk.lookup("alias", "nobody") == "not-found"
        assert talk.lookup("alias", "nil") == "not-found"
        assert talk.check("alias", "nil") == "found"
        assert talk.lookup("credentials", "alice") == "found|alice:$2b$x"
        assert talk.lookup("credentials", "locked") == "not-found"
        assert talk.lookup("userinfo", "alice") == "found|1000:100:/home/alice"
        assert talk.check("netaddr", "2001:db8:1::5") == "found"
        assert talk.check("netaddr", "2001:db9::5") == "not-found"
        assert talk.lookup("domain", "mail.example.org") == "found|*.example.org"
        fetched = [talk.fetch("source") for _ in range(3)]
        assert fetched == ["found|192.0.2.1", "found|192.0.2.2", "found|192.0.2.1"]


def test_errors(tmp_path: Path) -> None:
    with talking(tmp_path, well()) as talk:
        for service, key in (
            ("alias", "feed"), ("alias", "denied"), ("userinfo", "odd"), ("mailaddr", "x"),
        ):  # fmt: skip
            assert talk.lookup(service, key).startswith("error|"), key
        assert talk.lookup("alias", "root") == "found|alice, bob"


def test_a_connection_that_is_closed_is_replaced_within_the_request(tmp_path: Path) -> None:
    talked: list[str] = []

    def until_third(name: str, key: str) -> Rows | bytes:
        talked.append(key)
        if talked.count("root") == 3:
            raise OSError  # it closes
        return answer(name, key)

    dies = serves(until_third, parameters=PARAMETERS, columns=COLUMNS)
    with talking(tmp_path, dies, well()) as talk:
        for _ in range(5):
            assert talk.lookup("alias", "root") == "found|alice, bob"
    assert talked.count("root") == 3


def test_the_worker_of_the_program_is_started_first(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(early, "start", calls.append)
    monkeypatch.setattr(postgres, "main", lambda: calls.append("main"))
    entry.postgres()
    assert calls == [config.WORKER, "main"]


def test_the_program_checks(tmp_path: Path) -> None:
    conf = written(tmp_path, *QUERIES)
    with scripted(place(tmp_path), well()):
        status, out, err = program("opensmtpd_tables.postgres", "-n", str(conf))
    assert (status, err) == (0, "")
    assert out.startswith("table-postgres: configuration OK")
    place(tmp_path).unlink()
    faults = {"query_domain": refusal(b"42P01", b"no such relation")}
    broken = serves(answer, faults, PARAMETERS, COLUMNS)
    with scripted(place(tmp_path), broken):
        status, out, err = program("opensmtpd_tables.postgres", "-n", str(conf))
    assert (status, out) == (1, "")
    assert err == f"table-postgres: {conf}:6: query_domain: no such relation (SQLSTATE 42P01)\n"


def test_a_server_that_is_away_is_an_error_of_the_check(tmp_path: Path) -> None:
    conf = written(tmp_path, *QUERIES)
    status, out, err = program("opensmtpd_tables.postgres", "-n", str(conf))
    assert (status, out) == (1, "")
    last = err.strip().rpartition("\n")[2]
    assert last.startswith(f"table-postgres: {conf}:1: ")
    assert "No such file or directory" in last
