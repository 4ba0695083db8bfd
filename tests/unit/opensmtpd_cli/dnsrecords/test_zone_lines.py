"""Records as lines of zone files, as dnspython reads them."""

from ipaddress import ip_address

import dns.rdata
import dns.zone
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import example, given
from hypothesis import strategies as st

from opensmtpd_cli.dnsrecords import zone_lines


@given(st.text(st.characters(max_codepoint=255), max_size=600))
@example('"')
@example("\\")
@example("; (")
@example("\n\0")
@example("x" * 256)
def test_a_text_is_read_back_as_it_was(text: str) -> None:
    front, _, rest = zone_lines.txt("a.example", text).partition(" IN TXT ")
    assert front == "a.example."
    rdata = dns.rdata.from_text("IN", "TXT", rest)
    assert isinstance(rdata, TXT)
    assert b"".join(rdata.strings) == text.encode("latin-1")
    assert "\n" not in rest


def test_how_they_look() -> None:
    address = ip_address("192.0.2.1")
    lines = [
        zone_lines.address("mail.example.com", address),
        zone_lines.address("mail.example.com", ip_address("2001:db8::1")),
        zone_lines.exchanger("example.com", "mail.example.com"),
        zone_lines.pointer(address, "mail.example.com"),
        zone_lines.txt("example.com", "v=spf1 -all"),
    ]
    assert lines == [
        "mail.example.com. IN A 192.0.2.1",
        "mail.example.com. IN AAAA 2001:db8::1",
        "example.com. IN MX 10 mail.example.com.",
        "1.2.0.192.in-addr.arpa. IN PTR mail.example.com.",
        'example.com. IN TXT "v=spf1 -all"',
    ]
    zone = dns.zone.from_text(
        "$TTL 60\n" + "\n".join(lines), origin=".", check_origin=False, relativize=False
    )
    assert len(list(zone.iterate_rdatas())) == 5
