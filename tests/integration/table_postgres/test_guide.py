"""The guide's tables, its users and their passwords in PostgreSQL, on smtpd 7.6 and 7.9."""

import pytest

from integration.support.guide_rows import rows
from integration.support.network_scenes import (
    TITLES,
    nothing_is_lost,
    outages,
    starts_without,
    until,
    use_all_tables,
    well,
)
from integration.support.table_scenes import SCENES
from lab.peers.databases.postgres import PostgresServer
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, on_both

DATABASE, USER, SECRET = "guide", "mail", "s3cret"
CONF = f"""\
conninfo host=127.0.0.1 user={USER} password={SECRET} dbname={DATABASE}
query_alias SELECT target FROM aliases WHERE name = $1
query_domain SELECT name FROM domains WHERE name = $1
query_netaddr SELECT name FROM networks WHERE name = $1
query_mailaddrmap SELECT address FROM senders WHERE name = $1
query_credentials SELECT name, hash FROM people WHERE name = $1
query_userinfo SELECT uid, gid, home FROM people WHERE name = $1
fetch_source SELECT address FROM sources
"""


def prepare(guide: Guide) -> None:
    use_all_tables(guide, "postgres", CONF)


def _schema(guide: Guide, smtpd: str) -> str:
    """Return the SQL of the guide's files, and of its users."""
    sql = ""
    for table, content in rows(guide, smtpd).items():
        columns = table.replace(",", " TEXT,").replace(")", " TEXT)")
        lines = "".join("\t".join(row) + "\n" for row in content)
        sql += f"CREATE TABLE {columns};\nCOPY {table} FROM STDIN;\n{lines}\\.\n"
    return sql


@pytest.fixture
def served(running: Lab, postgres: PostgresServer) -> PostgresServer:
    """The server with the rows; smtpd may have started before it."""
    there = "SELECT count(*) FROM pg_database WHERE datname = 'guide';"
    if postgres.execute(there) == "0\n":
        postgres.database(DATABASE)
        postgres.account(USER, SECRET)
        postgres.execute(_schema(running.guide, running.smtpd), DATABASE)
    postgres.execute(
        "TRUNCATE sources;"
        + "".join(
            f"INSERT INTO sources VALUES ('{each}');" for each in moves.SOURCES[running.smtpd]
        ),
        DATABASE,
    )
    until(lambda: well(running))
    return postgres


both, once = on_both("table-postgres", prepare)


@once
@pytest.mark.parametrize("title", TITLES)
def test_outcome(served: PostgresServer, lab: Lab, title: str) -> None:
    scene, outcome = SCENES[title]
    assert scene(lab) == outcome


@both
def test_outages(served: PostgresServer, lab: Lab) -> None:
    outages(lab, served)


@once
def test_nothing_is_lost(served: PostgresServer, lab: Lab) -> None:
    nothing_is_lost(lab, served, [served.kill9, served.restart])


@both
def test_it_starts_without(served: PostgresServer, running: Lab) -> None:
    starts_without(running, served)
