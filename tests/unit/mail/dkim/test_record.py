"""TXT records in the form of zone files, as dnspython reads them."""

import dns.rdata
import pytest
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import example, given
from hypothesis import strategies as st

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.record import name, zone_form


@given(st.text("abc=; /+", min_size=1, max_size=1000))
@example("x" * 255)
@example("x" * 256)
@example("x" * 510)
def test_the_strings_are_the_text_cut_into_pieces_that_the_dns_takes(text: str) -> None:
    form = zone_form("mail._domainkey.example.com", text)
    start, rest = form.split(" ( ")
    assert start == "mail._domainkey.example.com. IN TXT"
    rdata = dns.rdata.from_text("IN", "TXT", f"( {rest}")
    assert isinstance(rdata, TXT)
    assert b"".join(rdata.strings).decode() == text
    lengths: list[int] = [len(string) for string in rdata.strings]
    assert set(lengths[:-1]) <= {255}
    assert 0 < lengths[-1] <= 255


def test_how_it_looks() -> None:
    assert zone_form("m._domainkey.a.example", "v=DKIM1; p=" + "A" * 250) == (
        'm._domainkey.a.example. IN TXT ( "v=DKIM1; p=' + "A" * 244 + '"\n    "AAAAAA" )'
    )


def test_a_name() -> None:
    assert name("Example.com", "mail.2026") == "mail.2026._domainkey.Example.com"
    assert name("b" * 63 + ".example", "a" * 63) == f"{'a' * 63}._domainkey.{'b' * 63}.example"
    longest = ".".join(["x" * 60] * 3) + ".example." + "y" * 49
    assert len(name(longest, "s")) == 253


def test_a_name_that_the_dns_has_no_room_for() -> None:
    domain = ".".join(["x" * 60] * 4)
    with pytest.raises(ConfigError) as caught:
        name(domain, "ss", "/etc/table", 3)
    assert str(caught.value) == (
        f"/etc/table:3: ss._domainkey.{domain} has 257 bytes, and a name in the DNS 253 at most;"
        " choose a shorter selector"
    )
