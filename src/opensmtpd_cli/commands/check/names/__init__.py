"""What the world knows of the server: its keys, names, addresses, policies and certificates."""

from opensmtpd_cli.commands.check.names import (
    addresses,
    certificates,
    exchangers,
    keys,
    senders,
)
from opensmtpd_cli.commands.check.server import Checker

CHECKERS: tuple[Checker, ...] = (
    keys.keys_unlooked,
    keys.published,
    keys.strange_senders,
    keys.left_over,
    addresses.names_of_addresses,
    addresses.helo_name,
    exchangers.mail_exchangers,
    exchangers.receiving_policies,
    senders.sender_policies,
    certificates.pki_files,
    certificates.certificates,
)
