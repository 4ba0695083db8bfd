"""The addresses that smtpd sends from: their names, and what it calls itself."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.names.addresses import helo_name, names_of_addresses
from opensmtpd_cli.system import mail_name
from opensmtpd_cli.system.network import own_addresses
from unit.support.check_names import Situation, without

RELAY = 'action "out" relay\nmatch from local for any action "out"\n'
SRC = RELAY.replace("relay", "relay src { 192.0.2.1, 192.0.2.2 }")
ZONE = (
    "1.2.0.192.in-addr.arpa PTR mail.example.com",
    "2.2.0.192.in-addr.arpa PTR two.example.com",
    "mail.example.com A 192.0.2.1",
    "two.example.com A 192.0.2.2",
)


@pytest.fixture
def good(tmp_path: Path) -> Situation:
    return Situation(tmp_path / "smtpd.conf", RELAY, ZONE)


@pytest.mark.parametrize(
    "text",
    [
        RELAY,
        SRC,
        RELAY.replace("relay", "relay helo two.example.com src 192.0.2.2"),
        RELAY.replace("relay", "relay host smtp://mx.example.net"),
        RELAY.replace("match", "# match"),
        'action "in" maildir\nmatch from any for local action "in"\n',
    ],
)
def test_good_servers(good: Situation, text: str) -> None:
    assert good._replace(text=text).found(names_of_addresses, helo_name) == []


def test_an_address_without_a_name(good: Situation) -> None:
    zone = without(ZONE, "2.2.0")
    assert good._replace(text=SRC, records=zone).found(names_of_addresses) == [
        "1 warning reverse-missing: smtpd sends from 192.0.2.2, which has no name in the DNS (PTR)"
        " -> have the provider of the address publish:"
        " 2.2.0.192.in-addr.arpa. IN PTR mail.example.com."
    ]


def test_a_name_that_does_not_lead_back(good: Situation) -> None:
    zone = (*without(ZONE, "mail"), "mail.example.com A 192.0.2.9")
    assert good._replace(records=zone).found(names_of_addresses) == [
        "1 warning reverse-unconfirmed: smtpd sends from 192.0.2.1, whose name mail.example.com"
        " does not lead back to it -> publish mail.example.com. IN A 192.0.2.1"
    ]


def test_what_the_dns_does_not_tell_is_no_fault(good: Situation) -> None:
    found = good._replace(slow=("1.2.0.192.in-addr.arpa PTR", "mail.example.com A"))
    assert found.found(names_of_addresses, helo_name) == [
        "1 unseen reverse-unseen: the DNS did not tell the name of 192.0.2.1: timed out",
        "1 unseen helo-unseen: the DNS did not tell the addresses of mail.example.com: timed out",
    ]


def test_a_table_of_a_program_is_not_read(good: Situation) -> None:
    text = "table t sqlite:/etc/none\n" + RELAY.replace("relay", "relay src <t>")
    kept = good._replace(text=text)
    assert kept.found(names_of_addresses, helo_name) == [
        "2 unseen address-unknown: the addresses that smtpd sends from are in a table that a"
        " program keeps -> say which: opensmtpd-plugins check --address ADDRESS"
    ]
    assert kept._replace(addresses=("192.0.2.1",)).found(names_of_addresses, helo_name) == []


def outgoing(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [ip_address(each) for each in addresses]
    monkeypatch.setattr(own_addresses, "outgoing", lambda: found)


HIDDEN = (
    "1 unseen address-private: smtpd sends from 10.0.0.5, and the world sees another address"
    " -> say which one: opensmtpd-plugins check --address ADDRESS"
)


def test_behind_nat(good: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    outgoing(monkeypatch, "10.0.0.5")
    assert good.found(names_of_addresses, helo_name) == [HIDDEN]
    told = good._replace(addresses=("192.0.2.1",))
    assert told.found(names_of_addresses, helo_name) == []
    wrong = good._replace(addresses=("192.0.2.7",))
    assert [each.split(":")[0] for each in wrong.found(names_of_addresses, helo_name)] == [
        "1 warning reverse-missing",
        "1 warning helo-elsewhere",
    ]
    source = good._replace(text=RELAY.replace("relay", "relay src 10.0.0.5"))
    assert source.found(names_of_addresses, helo_name) == [HIDDEN]
    assert source._replace(addresses=("192.0.2.1",)).found(names_of_addresses, helo_name) == []


def test_two_families(good: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    outgoing(monkeypatch, "192.0.2.1", "2001:db8::1")
    assert good.found(names_of_addresses, helo_name) == [
        "1 warning reverse-missing: smtpd sends from 2001:db8::1, which has no name in the DNS"
        " (PTR) -> have the provider of the address publish:"
        f" {'1' + '.0' * 23}.8.b.d.0.1.0.0.2.ip6.arpa. IN PTR mail.example.com."
    ]
    limited = good._replace(text="mta limit inet4\n" + RELAY)
    assert limited.found(names_of_addresses, helo_name) == []


def test_what_smtpd_calls_itself(good: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    def named(name: str, file: str = "/etc/mailname") -> list[str]:
        monkeypatch.setattr(mail_name, "own_name", lambda _: (name, file))
        return good.found(helo_name)

    how = "-> echo mail.example.com > /etc/mailname, with the name that this host has"
    assert named("mail") == [
        f"1 warning helo-name: smtpd calls itself 'mail', which is no full name of a host {how}"
    ]
    assert named("gone.example.com") == [
        "1 warning helo-unresolved: smtpd calls itself gone.example.com, which has no address in"
        f" the DNS -> publish gone.example.com. IN A 192.0.2.1, or {how[3:]}"
    ]
    assert named("two.example.com") == [
        "1 warning helo-elsewhere: smtpd calls itself two.example.com, which is 192.0.2.2, and"
        f" sends from 192.0.2.1 {how}"
    ]
    assert named("[192.0.2.1]") == named("MAIL.example.com") == []


def test_the_names_of_an_action(good: Situation) -> None:
    text = RELAY.replace("relay", "relay helo gone.example.com")
    assert [each.split(" ->")[0] for each in good._replace(text=text).found(helo_name)] == [
        "1 warning helo-unresolved: smtpd calls itself gone.example.com, which has no address in"
        " the DNS"
    ]
    table = "table names { 192.0.2.1 = mail.example.com, 192.0.2.2 = two.example.com }\n"
    action = SRC.replace("relay", "relay helo-src <names>")
    assert good._replace(text=table + action).found(helo_name) == []
    table = "table names { 192.0.2.1 = two.example.com, 192.0.2.2 = two.example.com }\n"
    assert good._replace(text=table + action).found(helo_name) == []
    table = "table names { 192.0.2.1 = gone.example.com, 192.0.2.2 = two.example.com }\n"
    assert [each[:25] for each in good._replace(text=table + action).found(helo_name)] == [
        "2 warning helo-unresolved"
    ]
