"""Addresses of interfaces, as the system has them."""

from ipaddress import ip_address

from opensmtpd_cli.system.network import interfaces


def test_the_loopback_address_is_there() -> None:
    found = interfaces.all_addresses()
    [name] = [each.interface for each in found if each.address == ip_address("127.0.0.1")]
    assert ip_address("127.0.0.1") in interfaces.addresses(name)
    assert ip_address("127.0.0.1") in interfaces.addresses(name, "inet4")
    assert ip_address("127.0.0.1") not in interfaces.addresses(name, "inet6")


def test_no_interface_has_none() -> None:
    assert interfaces.addresses("nosuch0") == []
