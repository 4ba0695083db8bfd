"""The names in rules."""

import re

import pytest

from opensmtpd.mail.limit.rows import row
from opensmtpd.table import Service

MAILADDR, DOMAIN, NETADDR = Service.MAILADDR, Service.DOMAIN, Service.NETADDR


@pytest.mark.parametrize(
    ("service", "written", "expected"),
    [
        (MAILADDR, "news", "news"),
        (MAILADDR, "News", "news"),
        (MAILADDR, "bob@Example.ORG", "bob@example.org"),
        (MAILADDR, "@example.org", "@example.org"),
        (MAILADDR, "@*.example.org", "@*.example.org"),
        (MAILADDR, "bob@*", "bob@*"),
        (MAILADDR, "@", "@"),
        (DOMAIN, "Example.ORG", "example.org"),
        (DOMAIN, "example.org.", "example.org"),
        (DOMAIN, "*.example.org", "*.example.org"),
        (DOMAIN, "mail*.example.org", "mail*.example.org"),
        (DOMAIN, "[192.0.2.1]", "[192.0.2.1]"),
        (NETADDR, "192.0.2.5", "192.0.2.5/32"),
        (NETADDR, "192.0.2.0/24", "192.0.2.0/24"),
        (NETADDR, "192.0.2.7/24", "192.0.2.0/24"),
        (NETADDR, "10/8", "10.0.0.0/8"),
        (NETADDR, "0.0.0.0/0", "0.0.0.0/0"),
        (NETADDR, "2001:DB8::/32", "2001:db8::/32"),
        (NETADDR, "2001:0db8:0::1/32", "2001:db8::/32"),
        (NETADDR, "[2001:db8::1]", "2001:db8::1/128"),
        (NETADDR, "IPv6:2001:db8::1", "2001:db8::1/128"),
        (NETADDR, "::/0", "::/0"),
    ],
)
def test_rows(service: Service, written: str, expected: str) -> None:
    assert row(service, written) == expected


@pytest.mark.parametrize(
    ("service", "written", "words"),
    [
        (MAILADDR, "*@example.org", "matches nobody: write @DOMAIN for all of a domain"),
        (MAILADDR, "bounces-*@example.org", "matches nobody: write @DOMAIN for all of a domain"),
        (MAILADDR, "*", "matches nobody: write @DOMAIN for all of a domain"),
        (MAILADDR, "news*", "matches nobody: write @DOMAIN for all of a domain"),
        (MAILADDR, "*.example.org", "matches nobody: write @DOMAIN for all of a domain"),
        (MAILADDR, "@.example.org",
         "matches nobody: write @*.example.org"),
        (MAILADDR, "<bob@example.org>", "matches nobody: write it without < and >"),
        (MAILADDR, "<>", "matches nobody: write it without < and >"),
        (DOMAIN, "@example.org", "is no domain: write it without what ends with @"),
        (DOMAIN, "bob@example.org", "is no domain: write it without what ends with @"),
        (DOMAIN, ".example.org", "matches nobody: write *.example.org"),
        (NETADDR, "mail.example.org", "is no address, and no network such as 192.0.2.0/24"),
        (NETADDR, "192.0.2.300", "is no address, and no network such as 192.0.2.0/24"),
        (NETADDR, "192.0.2.0/33", "is no address, and no network such as 192.0.2.0/24"),
        (NETADDR, "192.0.2.0-192.0.2.9", "is no address, and no network such as 192.0.2.0/24"),
        (NETADDR, "local", "is no address, and no network such as 192.0.2.0/24"),
        (NETADDR, "fe80::1%eth0", "is no address, and no network such as 192.0.2.0/24"),
        (NETADDR, "2001:db8::/129", "is no address, and no network such as 192.0.2.0/24"),
        (NETADDR, "::ffff:192.0.2.1", "matches nobody: clients with such addresses count as IPv4"),
        (NETADDR, "::ffff:0:0/96", "matches nobody: clients with such addresses count as IPv4"),
    ],
)  # fmt: skip
def test_rows_that_match_nobody(service: Service, written: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'{written!r} {words}')}$"):
        row(service, written)
