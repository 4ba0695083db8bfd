"""Check what the world knows of the server: keys, names, addresses, policies and certificates."""

from opensmtpd_cli.commands.check.names import certificates, in_dns, keys
from opensmtpd_cli.commands.check.server import Checker

CHECKERS: tuple[Checker, ...] = (
    keys.keys_unlooked,
    in_dns.names_in_the_dns,
    keys.strange_senders,
    certificates.pki_files,
    certificates.certificates,
)
