"""The guide's tables, its users and their passwords in Valkey, on smtpd 7.6 and 7.9."""

from collections.abc import Iterator

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
from lab.peers.databases.valkey import ValkeyServer
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, on_both

DATABASE = 6
CONF = f"""\
master 127.0.0.1
database {DATABASE}
query_alias LRANGE alias:%s 0 -1
query_domain SISMEMBER domains %s
query_netaddr SISMEMBER networks %s
query_mailaddrmap SMEMBERS senders:%s
query_credentials HMGET people:%s name hash
query_userinfo HMGET people:%s uid gid home
fetch_source SMEMBERS sources
"""


def prepare(guide: Guide) -> None:
    use_all_tables(guide, "redis", CONF)


def _commands(guide: Guide, smtpd: str) -> Iterator[list[str]]:
    """Yield the commands that make keys of the guide's files, and of its users."""
    aliases, senders, domains, networks, _, people = rows(guide, smtpd).values()
    for name, target in aliases:
        yield ["RPUSH", f"alias:{name}", target]
    for name, address in senders:
        yield ["SADD", f"senders:{name}", address]
    yield ["SADD", "domains", *(name for (name,) in domains)]
    yield ["SADD", "networks", *(name for (name,) in networks)]
    for row in people:
        fields = zip(("name", "uid", "gid", "home", "hash"), row, strict=True)
        yield ["HSET", f"people:{row[0]}", *(word for pair in fields for word in pair)]


@pytest.fixture
def served(running: Lab, valkey: ValkeyServer) -> ValkeyServer:
    """The server with the keys; smtpd may have started before it."""
    if valkey.execute("DBSIZE", database=DATABASE) == "0\n":
        valkey.load(_commands(running.guide, running.smtpd), DATABASE)
    sources = [["DEL", "sources"], ["SADD", "sources", *moves.SOURCES[running.smtpd]]]
    valkey.load(sources, DATABASE)
    until(lambda: well(running))
    return valkey


both, once = on_both("table-redis", prepare)


@once
@pytest.mark.parametrize("title", TITLES)
def test_outcome(served: ValkeyServer, lab: Lab, title: str) -> None:
    scene, outcome = SCENES[title]
    assert scene(lab) == outcome


@both
def test_outages(served: ValkeyServer, lab: Lab) -> None:
    outages(lab, served)


@once
def test_nothing_is_lost(served: ValkeyServer, lab: Lab) -> None:
    nothing_is_lost(lab, served, [served.kill9, served.restart])


@both
def test_it_starts_without(served: ValkeyServer, running: Lab) -> None:
    starts_without(running, served)
