"""table-socketmap, with a server beside it: all requests, and a server that goes and comes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from opensmtpd.backends.network.table import NetworkTable
from opensmtpd.backends.socketmap.config import read
from opensmtpd.errors import ConfigError
from opensmtpd.table.passwords import encrypt
from opensmtpd_tables import socketmap
from unit.support.processes import CHECKED
from unit.support.socketmap_served import SocketmapServed
from unit.support.table_talk import Talk, flags, program

make = partial(NetworkTable, read)
ROWS = {
    b"root": b"alice, bob",
    b"empty": b"",
    b"temp": b"TEMP the database is away",
    b"perm": b"PERM ",
    b"long": b"x" * 2047,
    b"longer": b"x" * 2048,
    b"m all": b"192.0.2.1, 192.0.2.2",
    b"m *.example.org": b"*.example.org",
    b"aliases root": b"carol",
    b"hashes alice": b"alice:" + encrypt("secret").encode(),
}
FORMS = ("line", "netstring")
forms = pytest.mark.parametrize("form", FORMS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SocketmapServed]:
    with SocketmapServed(tmp_path, ROWS) as server:
        yield server


def argument(tmp_path: Path, server: SocketmapServed, form: str, more: str = "") -> Path:
    """Return what is the program's argument in smtpd.conf."""
    if form == "line" and not more:
        return Path(server.place(form))
    path = tmp_path / "socketmap.conf"
    path.write_text(f"socket {server.place(form)}\nprotocol {form}\n{more}")
    return path


@forms
def test_all_services_are_registered(tmp_path: Path, server: SocketmapServed, form: str) -> None:
    talk = Talk(make(flags(argument(tmp_path, server, form))))
    assert len(talk.services) == 12
    assert "auth" not in talk.services
    talk = Talk(make(flags(argument(tmp_path, server, form, "map_auth hashes\n"))))
    assert len(talk.services) == 13


@forms
def test_requests(tmp_path: Path, server: SocketmapServed, form: str) -> None:
    talk = Talk(make(flags(argument(tmp_path, server, form))))
    for service in ("alias", "mailaddrmap", "string", "credentials"):
        assert talk.lookup(service, "root") == "found|alice, bob"
        assert talk.check(service, "root") == "found"
        assert talk.lookup(service, "nobody") == "not-found"
        assert talk.check(service, "nobody") == "not-found"
    assert talk.lookup("alias", "empty") == "not-found"
    assert talk.check("alias", "empty") == "found"
    assert talk.lookup("alias", "long") == "found|" + "x" * 2047
    assert talk.lookup("alias", "longer").startswith("error|the value has 2048 bytes")
    assert talk.lookup("alias", "temp") == "error|the server says TEMP the database is away"
    assert talk.check("alias", "perm") == "error|the server says PERM"
    assert talk.fetch("source").startswith("error|")
    assert talk.update() == "ok"


@forms
def test_maps_lists_and_wildcards(tmp_path: Path, server: SocketmapServed, form: str) -> None:
    more = "map m\nmap_alias aliases\nfetch_source all\nmatch domain\n"
    talk = Talk(make(flags(argument(tmp_path, server, form, more))))
    assert talk.lookup("alias", "root") == "found|carol"
    assert talk.lookup("mailaddrmap", "root") == "found|alice, bob"
    assert [talk.fetch("source") for _ in range(3)] == [
        "found|192.0.2.1",
        "found|192.0.2.2",
        "found|192.0.2.1",
    ]
    assert talk.check("domain", "a.example.org") == "found"
    assert talk.check("domain", "example.org") == "not-found"


@forms
def test_hashes_are_compared_here(tmp_path: Path, server: SocketmapServed, form: str) -> None:
    talk = Talk(make(flags(argument(tmp_path, server, form, "map_auth hashes\n"))))
    assert talk.check("auth", "alice:secret") == "found"
    assert talk.check("auth", "alice:wrong") == "not-found"
    assert talk.check("auth", "bob:secret") == "not-found"


@forms
def test_a_server_that_goes_and_comes(tmp_path: Path, server: SocketmapServed, form: str) -> None:
    talk = Talk(make(flags(argument(tmp_path, server, form))))
    assert talk.lookup("alias", "root") == "found|alice, bob"
    server.restart()
    assert talk.lookup("alias", "root") == "found|alice, bob"
    server.kill9()
    assert talk.lookup("alias", "root").startswith("error|")
    assert "away, asked again in" in talk.lookup("alias", "root")


@forms
def test_another_configuration(tmp_path: Path, server: SocketmapServed, form: str) -> None:
    path = argument(tmp_path, server, form, "map aliases\n")
    talk = Talk(make(flags(path)))
    assert talk.lookup("alias", "root") == "found|carol"
    argument(tmp_path, server, form, "timeout 1\n")
    assert talk.update() == "ok"
    assert talk.lookup("alias", "root") == "found|alice, bob"
    argument(tmp_path, server, form, "mapp x\n")
    assert talk.update().startswith("error|")
    assert talk.lookup("alias", "root") == "found|alice, bob"


@forms
def test_the_check_by_hand(tmp_path: Path, server: SocketmapServed, form: str) -> None:
    path = str(argument(tmp_path, server, form, "match none\n"))
    said = f"table-socketmap: {CHECKED}\n"
    assert program("opensmtpd_tables.socketmap", "-n", path) == (0, said, "")
    server.kill9()
    status, out, err = program("opensmtpd_tables.socketmap", "-n", path)
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith(f"table-socketmap: {path}:1: ")
    assert "Connection refused" in err.splitlines()[-1]


def test_faults_are_told_at_start(tmp_path: Path) -> None:
    path = tmp_path / "socketmap.conf"
    path.write_text("host localhost\n")
    with pytest.raises(ConfigError, match="no server; say"):
        make(flags(path))
    status, _, err = program("opensmtpd_tables.socketmap", str(path))
    assert status == 1
    assert err.count("\n") == 1


def test_help() -> None:
    text = socketmap.parser().format_help()
    assert "table aliases socketmap:/run/maps/socket" in text
    assert program("opensmtpd_tables.socketmap")[0] == 2
