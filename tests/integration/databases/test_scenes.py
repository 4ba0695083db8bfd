"""The scenes that tests of tables share see what they are to see, with programs in C."""

from functools import partial
from pathlib import Path

import pytest

from integration.support.network_scenes import DIED, Ask, differences
from lab.chaos.lookups import FAULTS, Asked, campaign
from lab.peers.databases.postgres import PostgresServer
from lab.peers.databases.valkey import ValkeyServer
from lab.peers.table_client import TableClient, original
from lab.support import ALONE

pytestmark = ALONE
CONF = """\
conninfo host=127.0.0.1 user=mail password=s3cret dbname=scenes
query_alias SELECT value FROM rows WHERE key = $1
"""
ROWS = [(b"user%d" % number, b"user%d@host.example.com" % number) for number in range(50)]


@pytest.fixture
def filled(postgres: PostgresServer) -> PostgresServer:
    postgres.database("scenes")
    postgres.account("mail", "s3cret")
    rows = "".join(f"{key.decode()}\t{value.decode()}\n" for key, value in ROWS)
    table = "CREATE TABLE rows (key TEXT PRIMARY KEY, value TEXT);\nCOPY rows FROM STDIN;\n"
    postgres.execute(f"{table}{rows}null\t\\N\n\\.\n", "scenes")
    return postgres


@pytest.fixture
def start(filled: PostgresServer, tmp_path: Path) -> partial[TableClient]:
    (tmp_path / "c.conf").write_text(CONF)
    return partial(TableClient, original(filled.view, "table-postgres"), tmp_path / "c.conf")


def test_a_campaign(start: partial[TableClient], filled: PostgresServer) -> None:
    """The program in C mixes nothing up, though it has no deadline."""
    asked = Asked("alias", ROWS, [b"x", b"y"])
    with start() as table:
        tally = campaign(filled, table, asked, size=500, timeout=0.1, seconds=20)
    assert tally.wrong == []
    assert set(tally.faults) == set(FAULTS)
    assert tally.kinds["found"] > tally.kinds["not-found"] > 0
    assert filled.running


def test_a_campaign_sees_answers_of_other_keys(
    start: partial[TableClient], filled: PostgresServer
) -> None:
    asked = Asked("alias", [*ROWS, (b"user7", b"user8@host.example.com")], [b"x", b"user9"])
    with start() as table:
        tally = campaign(filled, table, asked, size=800, timeout=0.1, seconds=20)
    assert set(tally.wrong) == {
        (b"user7", b"found|user7@host.example.com"),
        (b"user9", b"found|user9@host.example.com"),
    }


def test_differences(start: partial[TableClient], filled: PostgresServer, tmp_path: Path) -> None:
    other = tmp_path / "other.conf"
    other.write_text(CONF.replace("= $1", "= $1 AND key NOT IN ('user7', 'null')"))
    another = partial(TableClient, original(filled.view, "table-postgres"), other)
    asked: list[Ask] = [(b"lookup", "alias", key) for key in (b"user7", b"user8", b"x", b"null")]
    answers = differences(start, another, asked)
    assert answers.pop((b"lookup", "alias", b"user7")) == (
        b"found|user7@host.example.com",
        b"not-found",
    )
    [(request, (illegal, right))] = answers.items()
    assert (request, right) == ((b"lookup", "alias", b"null"), b"not-found")
    assert illegal.startswith(b"illegal: lookup-result|")


def test_a_program_that_dies(valkey: ValkeyServer, tmp_path: Path) -> None:
    """A second ``%s`` ends the program in C; it is started again for the next request."""
    valkey.execute("SET", "scenes:k", "v")
    conf = tmp_path / "redis.conf"
    conf.write_text(
        "master 127.0.0.1\nslave 127.0.0.1\nslave_port 6379\n"
        "query_alias GET scenes:%s\nquery_domain MGET %s scenes:%s\n"
    )
    start = partial(TableClient, original(valkey.view, "table-redis"), conf)
    one, two = (b"lookup", "alias", b"k"), (b"lookup", "domain", b"k")
    harmless = tmp_path / "harmless.conf"
    harmless.write_text(conf.read_text().replace("MGET %s scenes:%s", "GET scenes:%s"))
    other = partial(TableClient, original(valkey.view, "table-redis"), harmless)
    assert differences(start, other, [one, two, one]) == {two: (DIED, b"found|v")}
