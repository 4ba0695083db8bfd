"""Names that look dynamic, and those that do not."""

from ipaddress import ip_address

import pytest

from opensmtpd.mail.policy.dynamic_names import looks_dynamic

DYNAMIC = [
    ("192.0.2.5", "192-0-2-5.example.net"),
    ("192.0.2.5", "5.2.0.192.example.net"),
    ("192.0.2.5", "host-192.0.2.5.example.net"),
    ("192.0.2.5", "x192x0x2x5x.example.net"),
    ("192.0.2.5", "ip-2-0-192.line.example.net"),
    ("192.0.2.5", "ip5-2-0.example.net"),
    ("192.0.2.5", "192000002005.example.net"),
    ("192.0.2.5", "005002000192.example.net"),
    ("192.0.2.5", "192-000-002-005.example.net"),
    ("192.0.2.5", "c0000205.example.net"),
    ("192.0.2.5", "x-050200c0.example.net"),
    ("192.0.2.5", "3221225989.example.net"),
    ("192.0.2.5", "a.dyn.example.net"),
    ("192.0.2.5", "a.adsl.example.net"),
    ("192.0.2.5", "a-dsl7.example.net"),
    ("192.0.2.5", "dhcp99.example.net"),
    ("192.0.2.5", "cable-modem.example.net"),
    ("192.0.2.5", "a.dip.example.net"),
    ("192.0.2.5", "unassigned.example.net"),
    ("192.0.2.5", "p1.ippool.example.net"),
    ("192.0.2.5", "cpe7.example.co.uk"),
    ("3.4.5.6", "ec2-3-4-5-6.compute-1.amazonaws.com"),
    ("71.2.3.4", "pool-71-2-3-4.nycmny.fios.verizon.net"),
    ("84.137.2.3", "p54890203.dip0.t-ipconnect.de"),
    ("73.1.2.3", "c-73-1-2-3.hsd1.ca.comcast.net"),
    ("2001:db8::c0ff:ee11:2233:4455", "2001-db8-0-0-c0ff-ee11-2233-4455.example.net"),
    ("2001:db8:1:2:3:4:5:6", "2001-db8-1-2-3-4-5-6.example.net"),
    ("2001:db8:1:2:a0b:4:5:6", "x0a0b000400050006.example.net"),
    ("2001:db8::c0ff:ee11:2233:4455", "c0ffee1122334455.example.net"),
]
PROPER = [
    ("192.0.2.5", "mail.example.net"),
    ("192.0.2.5", "mx5.example.net"),
    ("192.0.2.5", "mx-2-5.example.net"),
    ("192.0.2.5", "smtp2.out.example.net"),
    ("192.0.2.5", "static.5.2.0.192.example.net"),
    ("192.0.2.5", "a.dsl.fixed.example.net"),
    ("192.0.2.5", "dynamic.example"),
    ("192.0.2.5", "mail.dynamic.example"),
    ("192.0.2.5", "localhost"),
    ("192.0.2.5", "poolhouse.example.net"),
    ("192.0.2.5", "homer.example.net"),
    ("192.0.2.5", "10-20-30-40.example.net"),
    ("2001:db8::25", "mail.example.net"),
    ("2001:db8::25", "db8-25.example.net"),
    ("::", "a.example.net"),
    # Those who send much mail, as they name their hosts.
    ("40.92.66.45", "mail-oln040092066045.outbound.protection.outlook.com"),
    ("40.107.7.45", "mail-eopbgr70045.outbound.protection.outlook.com"),
    ("66.220.144.147", "66-220-144-147.mail-mail.facebook.com"),
    ("203.205.221.155", "out203-205-221-155.mail.qq.com"),
    ("198.2.180.6", "198-2-180-6.mandrillapp.com"),
    ("198.61.254.8", "m198-61-254-8.mailgun.net"),
    ("209.85.220.41", "mail-sor-f41.google.com"),
    ("1.2.3.4", "mailrelay-1-2-3-4.example.de"),
    ("1.2.3.4", "smtpout2.1-2-3-4.example.de"),
    ("54.240.8.33", "a8-33.smtp-out.amazonses.com"),
    ("156.70.3.42", "mta-70-3-42.sparkpostmail.com"),
    ("88.198.1.2", "static.88-198-1-2.clients.your-server.de"),
    ("192.0.2.5", "o1.pool2.example.com"),
    ("192.0.2.5", "mx1.home.co.uk"),
    ("192.0.2.5", "fiber.com.br"),
    ("192.0.2.5", "dsl.net.nz"),
    ("192.0.2.5", "mail.dsl.ne.jp"),
]


@pytest.mark.parametrize(("address", "name"), DYNAMIC)
def test_a_dynamic_name(address: str, name: str) -> None:
    assert looks_dynamic(name, ip_address(address)) is not None


@pytest.mark.parametrize(("address", "name"), PROPER)
def test_a_proper_name(address: str, name: str) -> None:
    assert looks_dynamic(name, ip_address(address)) is None


def test_what_is_dynamic_about_a_name() -> None:
    address = ip_address("192.0.2.5")
    assert looks_dynamic("c0000205.example.net", address) == "the address stands in it"
    assert looks_dynamic("a.dhcp.example.net", address) == "'dhcp' stands in it"
