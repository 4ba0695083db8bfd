"""A machine whose name and addresses do not depend on where the tests run."""

from ipaddress import ip_address

import pytest

from opensmtpd_cli.system import mail_name
from opensmtpd_cli.system.network import own_addresses


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is mail.example.com, with 192.0.2.1 alone."""
    monkeypatch.setattr(mail_name, "own_name", lambda _: ("mail.example.com", "/etc/mailname"))
    has_addresses(monkeypatch, "192.0.2.1")


def has_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Give the machine other addresses."""
    found = [ip_address(each) for each in addresses]
    monkeypatch.setattr(own_addresses, "outgoing", lambda: found)
    monkeypatch.setattr(own_addresses, "is_own", lambda address: address in found)
