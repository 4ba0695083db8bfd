"""Names and addresses of hosts, and what the DNS does not tell of them."""

from ipaddress import ip_address

from opensmtpd_cli.dnsrecords.hosts import (
    HostAddresses,
    MailHosts,
    ReverseNames,
    addresses,
    mail_hosts,
    reverse_names,
)
from unit.support.plain_dns import result

ONE = ip_address("192.0.2.1")
SIX = ip_address("2001:db8::1")
PTR = "1.2.0.192.in-addr.arpa PTR"


def test_the_names_of_an_address() -> None:
    zone = (f"{PTR} a.example", f"{PTR} b.example", "b.example A 192.0.2.1", "a.example A 1.2.3.4")
    assert result(reverse_names(ONE), *zone) == ReverseNames(
        ("a.example", "b.example"), ("b.example",), ""
    )
    six = f"{SIX.reverse_pointer} PTR a.example"
    assert result(reverse_names(SIX), six, "a.example AAAA 2001:db8::1").confirmed == ("a.example",)
    assert result(reverse_names(ONE)) == ReverseNames((), (), "")
    assert result(reverse_names(ONE), slow=[PTR]) == ReverseNames((), (), "timed out")


def test_a_slow_name_matters_where_no_other_leads_back() -> None:
    zone = (f"{PTR} a.example", f"{PTR} b.example")
    slow = ["a.example A"]
    assert result(reverse_names(ONE), *zone, slow=slow).unknown == "timed out"
    known = result(reverse_names(ONE), *zone, "b.example A 192.0.2.1", slow=slow)
    assert (known.confirmed, known.unknown) == (("b.example",), "")


def test_the_addresses_of_a_name() -> None:
    zone = ("a.example A 192.0.2.1", "a.example AAAA 2001:db8::1")
    assert result(addresses("A.example"), *zone) == HostAddresses(frozenset([ONE, SIX]), "")
    assert result(addresses("a.example"), zone[0], slow=["a.example AAAA"]) == HostAddresses(
        frozenset([ONE]), "timed out"
    )
    assert result(addresses("[192.0.2.1]"), *zone) == HostAddresses(frozenset(), "")


def test_the_hosts_of_a_domain() -> None:
    zone = ("example.com MX mx.example", "example.com MX gone.example", "mx.example A 192.0.2.1")
    assert result(mail_hosts("Example.com"), *zone) == MailHosts(
        {
            "mx.example": HostAddresses(frozenset([ONE]), ""),
            "gone.example": HostAddresses(frozenset(), ""),
        },
        "",
    )
    assert result(mail_hosts("example.com")) == MailHosts({}, "")
    assert result(mail_hosts("example.com"), slow=["example.com MX"]).unknown == "timed out"
    assert result(mail_hosts("a..b")) == MailHosts({}, "")
