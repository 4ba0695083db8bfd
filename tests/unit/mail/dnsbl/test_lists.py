"""DNS lists and their questions."""

from ipaddress import ip_address

import pytest

from opensmtpd.dns import Question, RecordType
from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import Client
from opensmtpd.mail.dnsbl.lists import List, Subject, named, without_keys

ZONE = "bl.example"
CLIENT = Client(
    ip_address("192.0.2.99"),
    None,
    "mail.example.org",
    "pass",
    helo=b"Helo.example.",
    sender=b"a@From.example",
)
NIBBLES = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ("192.0.2.99", "99.2.0.192.bl.example"),  # RFC 5782 section 2.1
        ("2001:db8::1", f"{NIBBLES}.bl.example"),  # section 2.4
    ],
)
def test_an_address_is_asked_for_backwards(who: str, name: str) -> None:
    assert List(ZONE, ZONE).question(ip_address(who)) == Question(name, RecordType.A)


def test_a_name_is_asked_for_as_it_is() -> None:
    # RFC 5782 section 2.2
    assert List(ZONE, ZONE).question("a.example") == Question("a.example.bl.example", RecordType.A)


LONG = ".".join(["a" * 60] * 4)


@pytest.mark.parametrize(
    "who",
    ["", "a b.example", "a..b", "[192.0.2.1]", "192.0.2.1", "2001:db8::1", "[ipv6:2001:db8::1]",
     "a|b.example", "a\nb", "\u00e4.example", "a" * 64 + ".example", LONG, ".example"],
)  # fmt: skip
def test_what_is_no_name_is_not_asked_for(who: str) -> None:
    assert List(ZONE, ZONE).question(who) is None


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (Subject.ADDRESS, ip_address("192.0.2.99")),
        (Subject.RDNS, "mail.example.org"),
        (Subject.HELO, "helo.example"),
        (Subject.SENDER, "from.example"),
    ],
)
def test_what_a_list_is_asked_for(subject: Subject, expected: object) -> None:
    assert List(ZONE, ZONE, subject).subject_of(CLIENT) == expected
    assert List(ZONE, ZONE, subject).subject_of(Client(None, None, None, "fail")) is None


def test_nobody_is_spared_for_a_name_that_is_not_confirmed() -> None:
    client = CLIENT._replace(fcrdns="fail")
    names = List(ZONE, ZONE, Subject.RDNS)
    assert names.subject_of(client) == "mail.example.org"
    assert names._replace(allow=True).subject_of(client) is None
    assert names._replace(allow=True).subject_of(CLIENT) == "mail.example.org"


def test_what_no_list_may_list() -> None:
    # RFC 5782 section 5
    assert List(ZONE, ZONE).probe == Question("1.0.0.127.bl.example", RecordType.A)
    for subject in (Subject.RDNS, Subject.HELO, Subject.SENDER):
        assert List(ZONE, ZONE, subject).probe == Question("invalid.bl.example", RecordType.A)


@pytest.mark.parametrize(
    ("name", "zone", "public"),
    [
        ("zen.spamhaus.org", "zen.spamhaus.org", "zen.spamhaus.org"),
        ("Zen.Spamhaus.ORG.", "zen.spamhaus.org", "Zen.Spamhaus.ORG"),
        ("rbl", "rbl", "rbl"),
        ("k3y.zen.dq.spamhaus.net", "k3y.zen.dq.spamhaus.net", "zen.dq.spamhaus.net"),
        ("K3Y.Zen.DQ.spamhaus.net.", "k3y.zen.dq.spamhaus.net", "Zen.DQ.spamhaus.net"),
        (
            "k3y.combined.mail.abusix.zone",
            "k3y.combined.mail.abusix.zone",
            "combined.mail.abusix.zone",
        ),
    ],
)
def test_a_key_is_shown_to_nobody(name: str, zone: str, public: str) -> None:
    assert named(name) == List(zone, public)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("xdq.spamhaus.net.example", "xdq.spamhaus.net.example"),
        ("dq.spamhaus.net", "dq.spamhaus.net"),
        ("'k3y.dq.spamhaus.net'", "'dq.spamhaus.net'"),
        ("-wk3y.zen.dq.spamhaus.net is wrong", "zen.dq.spamhaus.net is wrong"),
        ("--mark=k3y.zen.dq.spamhaus.net", "zen.dq.spamhaus.net"),
        ("127.0.0.2k3y.zen.DQ.Spamhaus.net: no", "zen.DQ.Spamhaus.net: no"),
        ("a k3y.combined.mail.abusix.zone b k3y.zen.dq.spamhaus.net",
         "a combined.mail.abusix.zone b zen.dq.spamhaus.net"),
    ],
)  # fmt: skip
def test_texts_without_keys(text: str, shown: str) -> None:
    assert without_keys(text) == shown


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "'' is no name of a list"),
        (".", "'' is no name of a list"),
        ("zen spamhaus.org", "'zen spamhaus.org' is no name of a list"),
        ("http://zen.spamhaus.org", "'http://zen.spamhaus.org' is no name of a list"),
        ("bl\u00e4.example", "'bl\u00e4.example' is no name of a list"),
        ("key!.zen.dq.spamhaus.net", "'zen.dq.spamhaus.net' is no name of a list"),
        ("127.0.0.2", "'127.0.0.2' is an address"),
        ("2001:db8::1", "'2001:db8::1' is an address"),
    ],
)
def test_what_is_no_list(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        named(name)
    assert caught.value.message == message


def test_a_list_has_room_for_an_ipv6_address() -> None:
    longest = ".".join(["a" * 62] * 3)  # 188 characters
    address = ip_address("2001:db8::1")
    assert named(longest + "a").question(address) is not None
    with pytest.raises(ConfigError):
        named(longest + "aa")


def test_texts_of_lists_are_asked_for_where_somebody_wants_them() -> None:
    assert not List(ZONE, ZONE, text="Go away, {ip}").wants_text
    assert List(ZONE, ZONE, text="Go away: {txt}").wants_text
