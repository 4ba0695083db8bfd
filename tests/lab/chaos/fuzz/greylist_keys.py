"""Lists of postgrey and those who meet them, and the keys of senders."""

import os
import re
import tempfile
from ipaddress import ip_address

from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client, text
from opensmtpd.mail.greylist import keys
from opensmtpd.mail.greylist.postgrey import ListedClients, ListedRecipients

NUMBER = re.compile(r"\b[0-9]+\b", re.ASCII)
NUMBERS = re.compile(rb"\b[0-9]+\b")
MET = 20
"""Clients, recipients and senders of an input, at most."""


def greylist_keys(data: bytes) -> None:
    """Rows of a list, an empty line, and addresses or names: an error of the file, or answers."""
    rows, _, met = data.partition(b"\n\n")
    addresses = met.split(b"\n")[:MET]
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        os.write(file.fileno(), rows)
        _meet_clients(file.name, addresses)
        _meet_recipients(file.name, addresses)
    for each in addresses:
        _key(each)


def _meet_clients(path: str, names: list[bytes]) -> None:
    try:
        listed = ListedClients([path])
    except ConfigError:
        return
    for name in names:
        shown = text(name).rstrip(".").lower() or None
        for address in ("192.0.2.5", "2001:db8::5"):
            known = Client(ip_address(address), None, shown, "pass") in listed
            unknown = Client(ip_address(address), None, shown, "fail") in listed
            assert known or not unknown, name  # a name takes nothing away


def _meet_recipients(path: str, recipients: list[bytes]) -> None:
    try:
        listed = ListedRecipients([path])
    except ConfigError:
        return
    for recipient in recipients:
        assert (recipient in listed) == (recipient.upper() in listed), recipient


def _key(sender: bytes) -> None:
    """Assert that numbers and capitals of a sender make no difference, nor an extension."""
    key = keys.sender(sender)
    user, at, _ = key.partition("@")
    if not at:
        assert key == text(sender).lower()
        return
    assert "+" not in user, key
    assert not NUMBER.search(user), key
    assert keys.sender(sender.upper()) == keys.sender(sender.lower())
    local, _, domain = sender.partition(b"@")
    if local.isascii() and not local.lower().startswith(b"prvs="):
        assert keys.sender(NUMBERS.sub(b"7", local) + b"+7@" + domain) == key
