"""The macros of a client and a message."""

from typing import Any

import pytest

from opensmtpd.filter import Session
from opensmtpd.mail.client import Client
from opensmtpd.mail.milter.macros import USES, address, host_name, macros, port

TCP: dict[str, Any] = {
    "rdns": b"client.example",
    "fcrdns": "pass",
    "source": b"192.0.2.5:40721",
    "destination": b"192.0.2.1:25",
}


def session(**facts: Any) -> Session:
    made = Session("9e3779b97f4a7c15", USES)
    for name, value in facts.items():
        setattr(made, name, value)
    return made


def known(
    sender: bytes | None = None, recipient: bytes | None = None, **facts: Any
) -> dict[str, bytes]:
    made = session(**facts)
    return macros(made, Client.of(made), b"early.example", sender, recipient)


def test_a_client_with_a_name() -> None:
    assert known(**TCP, greeting=b"mx.example.net") == {
        "j": b"mx.example.net",
        "v": b"OpenSMTPD",
        "_": b"client.example [192.0.2.5]",
        "{daemon_name}": b"smtpd",
        "{client_addr}": b"192.0.2.5",
        "{client_name}": b"client.example",
        "{client_ptr}": b"client.example",
        "{client_port}": b"40721",
        "{if_addr}": b"192.0.2.1",
    }


@pytest.mark.parametrize(
    ("rdns", "fcrdns", "name", "pointer"),
    [
        (b"Client.Example.", "pass", b"client.example", b"client.example"),
        (b"client.example", "fail", None, b"client.example"),
        (b"client.example", "error", None, b"client.example"),
        (b"<unknown>", "error", None, b"unknown"),
        (b"<unknown>", "fail", None, b"unknown"),
        (b"192.0.2.5", "fail", None, b"unknown"),
        (b"192.0.2.5", "pass", None, b"unknown"),
        (b"\xc3\xa9.example", "pass", b"\xc3\xa9.example", b"\xc3\xa9.example"),
        (b"\xff.example", "pass", b"\\xff.example", b"\\xff.example"),
    ],
)
def test_names(rdns: bytes, fcrdns: str, name: bytes | None, pointer: bytes) -> None:
    facts: dict[str, Any] = {**TCP, "rdns": rdns, "fcrdns": fcrdns}
    found = known(**facts)
    assert found["{client_name}"] == (name or b"unknown")
    assert found["{client_ptr}"] == pointer
    shown = name or b"[192.0.2.5]"
    assert found["_"] == shown + b" [192.0.2.5]"
    assert host_name(Client.of(session(**facts))) == shown


def test_ipv6() -> None:
    facts = TCP | {"source": b"[2001:db8::5]:25", "destination": b"[2001:db8::1]:587"}
    found = known(**facts)
    assert found["_"] == b"client.example [2001:db8::5]"
    assert found["{client_addr}"] == b"2001:db8::5"
    assert found["{client_port}"] == b"25"
    assert found["{if_addr}"] == b"2001:db8::1"
    facts |= {"fcrdns": "fail"}
    assert known(**facts)["_"] == b"[2001:db8::5] [2001:db8::5]"


def test_a_program_at_smtpds_own_socket() -> None:
    local: dict[str, Any] = {
        "rdns": b"localhost",
        "fcrdns": "pass",
        "source": b"unix:/var/run/smtpd.sock",
        "destination": b"unix:/var/run/smtpd.sock",
    }
    assert known(**local) == {
        "j": b"early.example",
        "v": b"OpenSMTPD",
        "_": b"localhost [127.0.0.1]",
        "{daemon_name}": b"smtpd",
        "{client_addr}": b"127.0.0.1",
        "{client_name}": b"localhost",
        "{client_ptr}": b"localhost",
        "{client_port}": b"0",
    }
    client = Client.of(session(**local))
    assert (host_name(client), address(client)) == (b"localhost", "127.0.0.1")
    assert port(session(**local)) == 0


def test_a_session_whose_beginning_was_not_seen() -> None:
    assert known() == {
        "j": b"early.example",
        "v": b"OpenSMTPD",
        "_": b"localhost [127.0.0.1]",
        "{daemon_name}": b"smtpd",
        "{client_addr}": b"127.0.0.1",
        "{client_name}": b"localhost",
        "{client_ptr}": b"unknown",
        "{client_port}": b"0",
    }


@pytest.mark.parametrize(
    ("source", "number"),
    [
        (b"192.0.2.5:0", 0),
        (b"192.0.2.5:65535", 65535),
        (b"192.0.2.5:65536", 0),
        (b"192.0.2.5:100000", 0),
        (b"192.0.2.5:", 0),
        (b"192.0.2.5:-1", 0),
        (b"[2001:db8::5]:4711", 4711),
        (b"[2001:db8::5]", 0),
        (b"unix:/run/x:25", 25),
        (b"local", 0),
        (b"", 0),
    ],
)
def test_ports(source: bytes, number: int) -> None:
    assert port(session(source=source)) == number


@pytest.mark.parametrize(
    ("tls", "found"),
    [
        (b"TLSv1.3:TLS_AES_256_GCM_SHA384:256", (b"TLSv1.3", b"TLS_AES_256_GCM_SHA384", b"256")),
        (b"TLSv1.2:X:128:more", (b"TLSv1.2", b"X", b"128")),
        (b"TLSv1.3:X", (b"TLSv1.3", b"X", b"")),
        (b"TLSv1.3", (b"TLSv1.3", b"", b"")),
        (b"", (b"", b"", b"")),
    ],
)
def test_tls(tls: bytes, found: tuple[bytes, bytes, bytes]) -> None:
    names = ("{tls_version}", "{cipher}", "{cipher_bits}")
    made = known(**TCP, tls=tls)
    assert tuple(made[name] for name in names) == found
    assert known(**TCP).keys().isdisjoint(names)


def test_a_user() -> None:
    made = known(**TCP, username=b"alice")
    assert (made["{auth_authen}"], made["{auth_type}"]) == (b"alice", b"PLAIN")
    assert known(**TCP).keys().isdisjoint({"{auth_authen}", "{auth_type}"})


def test_a_message() -> None:
    made = known(b"bob@remote.example", b"carol@example.com", **TCP, msgid="fe94f82a")
    assert made["i"] == b"fe94f82a"
    assert made["{mail_addr}"] == b"bob@remote.example"
    assert made["{rcpt_addr}"] == b"carol@example.com"
    assert known(b"", **TCP)["{mail_addr}"] == b""
    assert known(**TCP).keys().isdisjoint({"i", "{mail_addr}", "{rcpt_addr}"})


def test_a_server_without_a_name() -> None:
    made = session(**TCP)
    assert macros(made, Client.of(made), b"")["j"] == b"localhost"
