"""The guide's tables, its users and their passwords in MariaDB, on smtpd 7.6 and 7.9."""

import re

import pytest

from integration.support.guide_rows import hashed, rows
from integration.support.mysql_pair import SECRET, USER, insert
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
from lab.peers import mail
from lab.peers.databases.mariadb import MariadbServer
from lab.root.plugin import LIBEXEC
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, on_both

DATABASE = "guide"
CONF = f"""\
host 127.0.0.1
username {USER}
password {SECRET}
database {DATABASE}
query_alias SELECT target FROM aliases WHERE name = ?
query_domain SELECT name FROM domains WHERE name = ?
query_netaddr SELECT name FROM networks WHERE name = ?
query_mailaddrmap SELECT address FROM senders WHERE name = ?
query_credentials SELECT name, hash FROM people WHERE name = ?
query_userinfo SELECT uid, gid, home FROM people WHERE name = ?
fetch_source SELECT address FROM sources
match domain netaddr mailaddr
"""


def prepare(guide: Guide) -> None:
    use_all_tables(guide, "mysql", CONF)


def schema(guide: Guide, smtpd: str) -> str:
    """Return the SQL of the guide's files, and of its users."""
    sql = ""
    for table, content in rows(guide, smtpd).items():
        columns = re.sub(r"([,)])", r" VARCHAR(200)\1", table)
        sql += f"CREATE TABLE {columns};\n{insert(table, content)}"
    return sql


@pytest.fixture
def served(running: Lab, mariadb: MariadbServer) -> MariadbServer:
    """The server with the rows; smtpd has started before it has any."""
    there = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'guide'"
    if mariadb.execute(there) == "0\n":
        mariadb.database(DATABASE)
        mariadb.account(USER, SECRET)
        mariadb.execute(schema(running.guide, running.smtpd), DATABASE)
    sources = [(each,) for each in moves.SOURCES[running.smtpd]]
    mariadb.execute("TRUNCATE sources;" + insert("sources", sources), DATABASE)
    until(lambda: well(running))
    return mariadb


both, once = on_both("table-mysql", prepare)


@once
@pytest.mark.parametrize("title", TITLES)
def test_outcome(served: MariadbServer, lab: Lab, title: str) -> None:
    scene, outcome = SCENES[title]
    assert scene(lab) == outcome


@both
def test_outages(served: MariadbServer, lab: Lab) -> None:
    outages(lab, served)


@once
def test_nothing_is_lost(served: MariadbServer, lab: Lab) -> None:
    nothing_is_lost(lab, served, [served.kill9, served.restart])


def auth(lab: Lab, user: str, password: str) -> int:
    with mail.connect(port=587) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        return client.docmd("AUTH PLAIN", mail.plain(user, password))[0]


@once
def test_nobody_comes_in_with_anothers_password(served: MariadbServer, running: Lab) -> None:
    """user8 has no hash. The C program lets him in once user9 was the last to log in."""
    secret = hashed(running.guide, "secret of user9")
    people = [("user8", 1, 1, "/", None), ("user9", 1, 1, "/", secret)]
    columns = "people (name, uid, gid, home, hash)"
    served.execute(
        "DELETE FROM people WHERE name LIKE 'user_';" + insert(columns, people), DATABASE
    )
    tries = [
        ("user8", "secret of user9"),
        ("user9", "secret of user9"),
        ("user8", "secret of user9"),
    ]
    assert [auth(running, *each) for each in tries] == [535, 235, 535]
    program = running.guide.view / LIBEXEC / "table-mysql"
    ours = program.readlink()
    program.unlink()
    program.symlink_to("table-mysql.c-original")
    try:
        running.server.restart()
        assert [auth(running, *each) for each in tries] == [421, 235, 235]
    finally:
        program.unlink()
        program.symlink_to(ours)
        running.server.restart()


@both
def test_it_starts_without(served: MariadbServer, running: Lab) -> None:
    starts_without(running, served)
