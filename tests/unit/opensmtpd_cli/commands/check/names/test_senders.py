"""Domains that send from here: SPF and DMARC."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.names.senders import domains, sender_policies
from opensmtpd_cli.system.network import own_addresses
from unit.support.check_names import Situation, without

TEXT = """\
table users { alice = alice@example.com, bob = "bob@example.com,bob@example.org" }
listen on 0.0.0.0 port 587 tls-require pki a.example auth senders <users>
action "in" maildir
action "out" relay
match from any for domain { example.com, example.net } action "in"
match auth from any for any action "out"
"""
ZONE = (
    "example.com TXT v=spf1 include:spf.example.com -all",
    "spf.example.com TXT v=spf1 ip4:192.0.2.0/24 ?all",
    "example.org TXT v=spf1 ip4:192.0.2.1 ~all",
    "example.org TXT something else",
    "_dmarc.example.com TXT v=DMARC1; p=none",
    "_dmarc.example.org TXT v=DMARC1; p=reject; rua=mailto:a@example.org",
)


@pytest.fixture
def good(tmp_path: Path) -> Situation:
    return Situation(tmp_path / "smtpd.conf", TEXT, ZONE)


def test_a_good_server(good: Situation) -> None:
    assert good.found(sender_policies) == []


@pytest.mark.parametrize("record", ["v=spf1 +all", "v=spf1 mx all", "v=spf1 ip4:192.0.2.1 +ALL"])
def test_a_record_that_permits_everybody(good: Situation, record: str) -> None:
    zone = (*without(ZONE, "example.org TXT v=spf1"), f"example.org TXT {record}")
    assert good._replace(records=zone).found(sender_policies) == [
        "2 warning spf-permits-all: the SPF record of example.org permits everybody to send for it"
        ' -> publish example.org. IN TXT "v=spf1 ip4:192.0.2.1 -all"'
    ]


def test_who_sends_from_here(good: Situation, tmp_path: Path) -> None:
    def names(text: str) -> list[str]:
        return list(domains(good._replace(text=text).server()))

    assert names(TEXT) == ["example.com", "example.org"]
    plain = TEXT.replace(" senders <users>", "")
    assert names(plain) == ["example.com", "example.net"]
    assert names(plain.replace("example.net", "mail.example.com")) == ["example.com"]
    assert names(plain.replace(" auth senders", "").replace(" auth\n", "\n")) == []
    assert names(TEXT.replace("relay", "mbox")) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "example.org TXT v=spf1",
            (),
            "2 warning spf-missing: example.org has no SPF record"
            ' -> publish example.org. IN TXT "v=spf1 ip4:192.0.2.1 -all"',
        ),
        (
            "example.org TXT v=spf1",
            ("example.org TXT v=spf1 ip4:192.0.2.2 -all",),
            "2 warning spf-refuses: the SPF record of example.org does not permit 192.0.2.1"
            " (fail by -all)"
            " -> write ip4:192.0.2.1 into it, in front of the terms with a, mx and all",
        ),
        (
            "example.org TXT v=spf1",
            ("example.org TXT v=spf1 mx",),
            "2 warning spf-refuses: the SPF record of example.org does not permit 192.0.2.1"
            " (neutral by default)"
            " -> write ip4:192.0.2.1 into it, in front of the terms with a, mx and all",
        ),
        (
            "example.org TXT v=spf1",
            ("example.org TXT v=spf1 ip:192.0.2.1 -all",),
            "2 warning spf-error: the SPF record of example.org is in error: example.org:"
            " ip:192.0.2.1: no such mechanism"
            " -> mend the record: v=spf1 ip:192.0.2.1 -all",
        ),
        (
            "example.org TXT something",
            ("example.org TXT v=spf1 -all",),
            "2 warning spf-error: the SPF record of example.org is in error: example.org: more than"
            " one SPF record -> leave one of the records there",
        ),
        (
            "example.org TXT v=spf1",
            ("example.org TXT v=spf1 ip4:192.0.2.1 " + "a:a.example.org " * 11 + "-all",),
            "2 warning spf-lookups: the SPF record of example.org asks the DNS 11 times"
            " -> name addresses (ip4:, ip6:) instead of includes, a and mx",
        ),
        (
            "_dmarc.example.org",
            (),
            "2 warning dmarc-missing: example.org has no policy of DMARC"
            ' -> publish _dmarc.example.org. IN TXT "v=DMARC1; p=none"',
        ),
        (
            "_dmarc.example.org",
            ("_dmarc.example.org TXT v=DMARC1; p=rejct",),
            "2 warning dmarc-wrong: the record _dmarc.example.org does not count: its p= is none of"
            " none, quarantine, reject -> mend the record: v=DMARC1; p=rejct",
        ),
    ],
)
def test_faults(good: Situation, old: str, new: tuple[str, ...], said: str) -> None:
    assert good._replace(records=(*without(ZONE, old), *new)).found(sender_policies) == [said]


def test_what_the_dns_does_not_tell(good: Situation) -> None:
    slow = ("example.org TXT", "_dmarc.example.com TXT", "spf.example.com TXT")
    assert good._replace(slow=slow).found(sender_policies) == [
        "2 unseen spf-unseen: the DNS did not tell the SPF record of example.com:"
        " spf.example.com TXT: timed out",
        "2 unseen spf-unseen: the DNS did not tell the SPF record of example.org:"
        " example.org TXT: timed out",
        "2 unseen dmarc-unseen: the DNS did not tell _dmarc.example.com: timed out",
    ]


def test_a_domain_that_is_not_there_is_the_fault_of_its_name(good: Situation) -> None:
    zone = without(ZONE, "example.org", "_dmarc.example.org")
    assert good._replace(records=zone).found(sender_policies) == []


def test_where_the_addresses_are_not_known(
    good: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = (*without(ZONE, "example.org TXT v"), "example.org TXT v=spf1 ip4:192.0.2.9 -all")
    refused = good._replace(records=other)
    assert len(refused.found(sender_policies)) == 1
    smarthost = TEXT.replace("relay", "relay host smtp://mx.example.net")
    assert refused._replace(text=smarthost).found(sender_policies) == []
    private = ip_address("10.0.0.5")
    monkeypatch.setattr(own_addresses, "outgoing", lambda: [private])
    assert refused.found(sender_policies) == []
    assert refused._replace(addresses=("192.0.2.9",)).found(sender_policies) == []


def test_each_action_may_be_for_another_domain(good: Situation) -> None:
    two = TEXT.replace('"out" relay', '"out" relay src 192.0.2.1\naction "two" relay src 192.0.9.2')
    two += 'match auth from any for domain example.net action "two"\n'
    assert good._replace(text=two).found(sender_policies) == []
    both = TEXT.replace("relay", "relay src { 192.0.2.1, 192.0.9.2 }")
    assert [each.split(" (")[0] for each in good._replace(text=both).found(sender_policies)] == [
        "2 warning spf-refuses: the SPF record of example.com does not permit 192.0.9.2",
        "2 warning spf-refuses: the SPF record of example.org does not permit 192.0.9.2",
    ]
