"""The argument of table-socketmap."""

import socket
from pathlib import Path

import pytest

from opensmtpd.backends.socketmap.config import Socketmap, read
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.table import Service


def configured(tmp_path: Path, text: str) -> Socketmap:
    path = tmp_path / "socketmap.conf"
    path.write_text(text)
    return read(str(path))


def test_a_socket_is_asked_as_the_program_in_c_does(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(path)
        found = read(path)
    assert (found.name, found.plain(), found.line) == (path, ["line", path], None)
    found.settings.table = "aliases"
    assert found.question(Service.ALIAS, "bob") == ["aliases", "bob"]
    assert found.services == frozenset(Service) - {Service.AUTH}
    assert found.settings.matched == frozenset()
    assert found.needs == Needs(sockets=(path,))


def test_a_path_that_leads_nowhere_is_that_of_a_socket() -> None:
    assert read("/nonexistent/s").plain() == ["line", "/nonexistent/s"]


def test_a_unix_socket_and_netstrings(tmp_path: Path) -> None:
    found = configured(tmp_path, "socket /run/maps/s\nmap virtual\ntimeout 0.5\n")
    assert (found.name, found.plain()) == ("/run/maps/s", ["netstring", "/run/maps/s"])
    assert found.question(Service.ALIAS, "a b") == ["virtual", "a b"]
    assert found.settings.timeout == 0.5
    assert found.line == 1
    assert found.needs == Needs(sockets=("/run/maps/s",))


def test_tcp_and_lines(tmp_path: Path) -> None:
    found = configured(tmp_path, "port 8461\nhost mail.example.org\nprotocol line\n")
    assert found.name == "mail.example.org:8461"
    assert found.plain() == ["line", ["mail.example.org", 8461]]
    assert found.line == 2
    assert found.needs == Needs(network=True)


def test_maps_of_services(tmp_path: Path) -> None:
    text = "socket /s\nmap all\nmap_alias aliases\nmap_auth hashes\nmatch domain\n"
    found = configured(tmp_path, text)
    found.settings.table = "table"
    assert found.question(Service.ALIAS, "k") == ["aliases", "k"]
    assert found.question(Service.AUTH, "k") == ["hashes", "k"]
    assert found.question(Service.DOMAIN, "k") == ["all", "k"]
    assert found.services == frozenset(Service)
    assert found.settings.matched == {Service.DOMAIN}
    assert not found.authenticates
    found.map = ""
    assert found.question(Service.DOMAIN, "k") == ["table", "k"]


def test_rows() -> None:
    found = read("/nonexistent")
    assert found.value(Service.ALIAS, "a, b ") == "a, b "
    assert found.value(Service.ALIAS, "") is None
    assert found.value(Service.ALIAS, None) is None
    assert found.found(Service.DOMAIN, "")
    assert not found.found(Service.DOMAIN, None)


def test_lists(tmp_path: Path) -> None:
    found = configured(tmp_path, "socket /s\nmap m\nfetch_source all\nmap_relayhost hosts\n")
    assert found.fetch_question(Service.SOURCE) == ["m", "all"]
    assert found.fetched(Service.SOURCE, " 192.0.2.1,2001:db8::1 ,,") == [
        "192.0.2.1",
        "2001:db8::1",
    ]
    assert found.fetched(Service.SOURCE, None) == []
    with pytest.raises(ConfigError, match=r"socketmap.conf: no fetch_relayhost$"):
        found.fetch_question(Service.RELAYHOST)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ": no server; say 'socket /PATH', or 'host NAME' and 'port NUMBER'"),
        ("host a\n", ": no server; say 'socket /PATH', or 'host NAME' and 'port NUMBER'"),
        ("port 1\n", ": no server; say 'socket /PATH', or 'host NAME' and 'port NUMBER'"),
        ("socket /s\nhost a\n", ":2: socket and host or port; drop one"),
        ("port 1\nsocket /s\n", ":1: socket and host or port; drop one"),
        ("socket s\n", ":1: bad value for socket: a socket's path begins with /"),
        ("port 0\n", ":1: bad value for port: '0' is no number from 1 to 65535"),
        ("port 65536\n", ":1: bad value for port: '65536' is no number from 1 to 65535"),
        ("port \u0661\n", ":1: bad value for port: '\u0661' is no number from 1 to 65535"),
        ("protocol tcp\n", ":1: bad value for protocol: 'tcp' is none of netstring, line"),
        ("map a b\n", ":1: bad value for map: a map's name has no blank"),
        ("map_alias a b\n", ":1: bad value for map_alias: a map's name has no blank"),
        ("sockets /s\n", ":1: no key is 'sockets'; did you mean socket?"),
        ("map_aliases m\n", ":1: no key is 'map_aliases'; did you mean map_alias?"),
        ("socket /s\nsocket /t\n", ":2: socket stands in line 1, too; remove one"),
        ("timeout 9\n", ":1: bad value for timeout: '9' is no number of seconds from 0.05 to 2"),
    ],
)
def test_faults(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, text)
    assert str(caught.value) == f"{tmp_path}/socketmap.conf{fault}"


def test_a_directory_is_neither(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a directory, not a regular file"):
        read(str(tmp_path))
