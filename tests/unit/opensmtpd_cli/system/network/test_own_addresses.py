"""The addresses of this machine, which has loopback at least."""

from ipaddress import ip_address

import pytest

from opensmtpd_cli.system.network import own_addresses


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("10.1.2.3", True),
        ("172.31.0.1", True),
        ("172.32.0.1", False),
        ("192.168.0.1", True),
        ("100.64.0.1", True),
        ("100.128.0.1", False),
        ("127.0.0.1", True),
        ("192.0.2.1", False),
        ("fd00::1", True),
        ("fe80::1", True),
        ("::1", True),
        ("2001:db8::1", False),
    ],
)
def test_what_the_world_does_not_see(address: str, hidden: bool) -> None:
    assert own_addresses.is_hidden(ip_address(address)) is hidden


def test_which_addresses_are_ours() -> None:
    assert own_addresses.is_own(ip_address("127.0.0.1"))
    assert not own_addresses.is_own(ip_address("192.0.2.99"))
    assert not own_addresses.is_own(ip_address("2001:db8::99"))


def test_the_way_to_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"inet": "10.0.0.5", "inet6": "fd00::5"}
    monkeypatch.setattr(
        own_addresses, "_towards", lambda family: found["inet6" if "6" in family.name else "inet"]
    )
    assert own_addresses.outgoing() == [ip_address("10.0.0.5")]
    found["inet6"] = "2001:db8::5"
    assert own_addresses.outgoing() == [ip_address("10.0.0.5"), ip_address("2001:db8::5")]
    found["inet"] = ""
    assert own_addresses.outgoing() == [ip_address("2001:db8::5")]


def test_the_system_is_asked_without_a_packet() -> None:
    for address in own_addresses.outgoing():
        assert own_addresses.is_own(address)
