"""Names that look dynamic, what a client may call itself, and whom files spare."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client, host, rdns
from opensmtpd.mail.policy import helo
from opensmtpd.mail.policy.dynamic_names import looks_dynamic
from opensmtpd.mail.policy.exemptions import Exemptions

HERE = ip_address("192.168.0.1")


def client(address: str, name: str | None = None, verdict: str = "pass", **more: bytes) -> Client:
    return Client(ip_address(address), HERE, name, verdict, **more)


# --- names that look dynamic ----------------------------------------------------------------------

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


# --- HELO -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "good"),
    [
        (b"mail.example.net", True),
        (b"MAIL.Example.NET.", True),
        (b"a-b.example", True),
        (b"[192.0.2.5]", True),
        (b"[IPv6:2001:db8::5]", True),
        (b"xn--bcher-kva.example", True),
        (b"my_host.example", True),
        (b"localhost", False),
        (b"DESKTOP-1", False),
        (b"-.-", False),
        (b"a-.example", False),
        (b"-a.example", False),
        (b"a.example-", False),
        ("\u017f.example".encode(), False),  # a long s: some call it a letter of ASCII's
        (b"192.0.2.5", False),
        (b"2001:db8::5", False),
        (b"[192.0.2.256]", False),
        (b"[mail.example.net]", False),
        (b"", False),
        (b".", False),
        (b"a..b", False),
        (b"a b.example", False),
        (b"a|b.example", False),
        (b"b\xfccher.example", False),
        (b"a." * 130 + b"example", False),
    ],
)
def test_a_host_name(identity: bytes, good: bool) -> None:
    assert helo.is_name(client("192.0.2.5", helo=identity).helo_name) is good


@pytest.mark.parametrize(
    ("identity", "ours"),
    [
        (b"example.com", True),
        (b"EXAMPLE.com.", True),
        (b"[192.168.0.1]", True),
        (b"192.168.0.1", True),
        (b"[192.0.2.5]", False),
        (b"mail.example.com", False),
        (b"", False),
    ],
)
def test_our_own_name(identity: bytes, ours: bool) -> None:
    whose = client("192.0.2.5", helo=identity)
    assert helo.is_ours(whose.helo_name, whose, {"example.com"}) is ours


# --- what smtpd says of a client ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "address"),
    [
        (b"192.0.2.5:4711", "192.0.2.5"),
        (b"[2001:db8::5]:25", "2001:db8::5"),
        (b"[::ffff:192.0.2.5]:25", "192.0.2.5"),
        (b"unix:/var/run/smtpd.sock", None),
        (b"", None),
        (b"local", None),
    ],
)
def test_the_address(end: bytes, address: str | None) -> None:
    assert host(end) == (None if address is None else ip_address(address))


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (b"Mail.Example.NET", "mail.example.net"),
        (b"mail.example.net.", "mail.example.net"),
        (b"<unknown>", None),
        (b"", ""),
        (b"192.0.2.5", None),
        (b"2001:db8::5", None),
        (b"a|b c", "a|b c"),
        (b"b\xff", "b\\xff"),
    ],
)
def test_the_name(told: bytes, name: str | None) -> None:
    assert rdns(told) == name


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        (b"bob@Example.NET", "example.net"),
        (b"bob@example.net.", "example.net"),
        (b'"a@b"@example.net', "example.net"),
        (b"", None),
        (None, None),
        (b"bob", None),
        (b"bob@", None),
    ],
)
def test_the_sender_domain(sender: bytes | None, domain: str | None) -> None:
    assert client("192.0.2.5")._replace(sender=sender).domain == domain


def test_a_local_client() -> None:
    assert client("127.0.0.1").local
    assert client("::1").local
    assert client("192.168.0.1").local
    assert client("192.0.2.5")._replace(address=None).local
    assert not client("192.0.2.5").local


# --- exemptions -----------------------------------------------------------------------------------

ROWS = """\
2001:db8:1::/48
# ours
::ffff:203.0.113.77
198.51.100.0/24
203.0.113.9

*.Example.ORG
friend.example
"""


@pytest.mark.parametrize(
    ("address", "name", "verdict", "spared"),
    [
        ("198.51.100.7", None, "fail", True),
        ("203.0.113.9", None, "error", True),
        ("203.0.113.10", None, "fail", False),
        ("203.0.113.77", None, "fail", True),
        ("2001:db8:1:2::3", None, "fail", True),
        ("2001:db8:2::3", None, "fail", False),
        ("192.0.2.5", "mx.example.org", "pass", True),
        ("192.0.2.5", "mx.example.org", "fail", False),
        ("192.0.2.5", "mx.example.org", "error", False),
        ("192.0.2.5", "a.mx.example.org", "pass", False),
        ("192.0.2.5", "friend.example", "pass", True),
        ("192.0.2.5", "friend.example.net", "pass", False),
    ],
)
def test_whom_a_file_spares(
    tmp_path: Path, address: str, name: str | None, verdict: str, spared: bool
) -> None:
    file = tmp_path / "spared"
    file.write_text(ROWS)
    assert (client(address, name, verdict) in Exemptions([str(file)])) is spared


def test_several_files(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "ab"]
    for file, row in zip(files, ("192.0.2.0/25", "192.0.2.128/25"), strict=True):
        file.write_text(row)
    spared = Exemptions([str(file) for file in files])
    assert client("192.0.2.5") in spared
    assert client("192.0.2.200") in spared
    assert client("192.0.3.5") not in spared
    assert client("192.0.2.5")._replace(address=None) not in Exemptions([])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("example.org\n10.0.0.0/33\n", ":2: '10.0.0.0/33' is none of these; write an address"),
        ("a b\n", ":1: 'a b' is none of these"),
        ("example.org: 1\n", ":1: 'example.org: 1' is none of these"),
        ("# @list\nbob@example.org\n", ":2: 'bob@example.org' is none of these"),
    ],
)
def test_a_row_that_means_nothing(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "spared"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Exemptions([str(file)])
    assert str(caught.value).startswith(str(file) + fault)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; make it a file that"):
        Exemptions([str(tmp_path / "none")])
