"""table-socketmap and its server, which is paused, killed and started again."""

from pathlib import Path

import pytest

from integration.support.network_scenes import until
from lab.chaos.lookups import FAULTS, Asked, campaign
from lab.peers.databases.socketmap import SocketmapServer
from lab.peers.table_client import TableClient, ours
from lab.support import ALONE

pytestmark = ALONE
ROWS = [(b"user%d" % n, b"target%d@example.com" % n) for n in range(500)]
ABSENT = [b"nobody%d" % n for n in range(50)]
TIMEOUT = 0.3
places = pytest.mark.parametrize("place", ["lines", "netstrings", "tcp", "name"])


def argument(server: SocketmapServer, folder: Path, place: str, more: str = "") -> Path:
    """Return what is the table's argument."""
    where = {
        "lines": f"socket {server.socket}\nprotocol line\n",
        "netstrings": f"socket {server.socket.with_name('netstrings')}\n",
        "tcp": f"host {server.address}\nport {server.port}\n",
        "name": f"host localhost\nport {server.port}\n",
    }
    path = folder / "socketmap.conf"
    path.write_text(f"{where[place]}timeout {TIMEOUT}\n{more}")
    return path


@places
def test_no_answer_is_for_another_key(
    socketmap: SocketmapServer, tmp_path: Path, place: str
) -> None:
    socketmap.rows(ROWS)
    with TableClient(ours("table-socketmap"), argument(socketmap, tmp_path, place)) as table:
        asked = Asked("alias", ROWS, ABSENT)
        tally = campaign(socketmap, table, asked, size=1000, timeout=TIMEOUT, seconds=6)
    assert tally.wrong == []
    assert set(tally.faults) <= set(FAULTS)
    assert tally.kinds["found"] > tally.kinds["not-found"] > 0


@places
def test_it_starts_without_the_server(
    socketmap: SocketmapServer, tmp_path: Path, place: str
) -> None:
    socketmap.rows(ROWS)
    socketmap.kill9()
    with TableClient(ours("table-socketmap"), argument(socketmap, tmp_path, place)) as table:
        assert table.lookup("alias", b"user1").startswith(b"error|")
        assert table.lookup("alias", b"user1").startswith(b"error|")
        assert table.log.count("server-away") == 1
        socketmap.start()
        until(lambda: table.lookup("alias", b"user1").startswith(b"found|"))
        assert table.lookup("alias", b"user1") == b"found|target1@example.com"
        assert table.log.count("server-back") == 1


@places
def test_a_restart_of_the_server_is_not_seen(
    socketmap: SocketmapServer, tmp_path: Path, place: str
) -> None:
    socketmap.rows(ROWS)
    with TableClient(ours("table-socketmap"), argument(socketmap, tmp_path, place)) as table:
        for _ in range(3):
            assert table.lookup("alias", b"user7") == b"found|target7@example.com"
            socketmap.restart()
        assert table.log == ""


def test_the_last_good_answers_while_the_server_is_away(
    socketmap: SocketmapServer, tmp_path: Path
) -> None:
    socketmap.rows(ROWS)
    conf = argument(socketmap, tmp_path, "netstrings", "stale 60\n")
    with TableClient(ours("table-socketmap"), conf) as table:
        assert table.lookup("alias", b"user7") == b"found|target7@example.com"
        assert table.lookup("credentials", b"user7") == b"found|target7@example.com"
        socketmap.kill9()
        assert table.lookup("alias", b"user7") == b"found|target7@example.com"
        assert table.lookup("alias", b"user8").startswith(b"error|")
        assert table.lookup("credentials", b"user7").startswith(b"error|")


def test_networks_and_wildcards_where_they_are_asked_for(
    socketmap: SocketmapServer, tmp_path: Path
) -> None:
    socketmap.rows([(b"192.0.2.0/24", b"x"), (b"*.example.org", b"x"), (b"@example.com", b"x")])
    asked = [
        ("netaddr", b"192.0.2.7"),
        ("domain", b"a.example.org"),
        ("mailaddr", b"a@example.com"),
    ]
    conf = argument(socketmap, tmp_path, "tcp")
    with TableClient(ours("table-socketmap"), conf) as table:
        assert [table.check(*each) for each in asked] == [b"not-found"] * 3
    conf = argument(socketmap, tmp_path, "tcp", "match netaddr domain mailaddr\n")
    with TableClient(ours("table-socketmap"), conf) as table:
        assert [table.check(*each) for each in asked] == [b"found"] * 3
        assert table.check("netaddr", b"2001:db8::1") == b"not-found"
