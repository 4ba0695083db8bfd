"""Domains that are delivered here: their MX, and the policies of those who send to them."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.names import senders
from opensmtpd_cli.commands.check.names.exchangers import mail_exchangers, receiving_policies
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.smtpdconf.directives import Place
from opensmtpd_cli.system.network import own_addresses
from unit.support.check_names import Situation, without

TEXT = """\
table domains { example.com, sub.example.com, "*.example.org", localhost }
listen on 0.0.0.0
action "in" maildir
match from any for domain <domains> action "in"
"""
ZONE = (
    "example.com MX mx.example.net",
    "example.com MX mail.example.com",
    "mail.example.com A 192.0.2.1",
    "mx.example.net A 192.0.2.50",
)


@pytest.fixture
def good(tmp_path: Path) -> Situation:
    return Situation(tmp_path / "smtpd.conf", TEXT, ZONE)


def test_a_good_server(good: Situation) -> None:
    assert good.found(mail_exchangers, receiving_policies) == []
    assert good._replace(records=()).found(mail_exchangers, receiving_policies) == []


def test_a_domain_that_users_send_from_and_nobody_can_answer(good: Situation) -> None:
    text = 'table s { a = a@example.com, b = b@sub.example.com }\naction "out" relay\n' + TEXT
    text += "listen on 192.0.2.1 port 587 tls-require pki x auth senders <s>\n"
    text += 'match auth from any for any action "out"\n'
    known = good._replace(text=text)
    assert known.found(mail_exchangers) == [
        "6 warning mx-missing: sub.example.com has neither an MX record nor an address"
        " -> publish sub.example.com. IN MX 10 mail.example.com."
    ]
    for record in ("sub.example.com A 192.0.2.1", "sub.example.com AAAA 2001:db8::1"):
        assert known._replace(records=(*ZONE, record)).found(mail_exchangers) == []
    slow = known._replace(slow=("sub.example.com A",))
    assert slow.found(mail_exchangers) == []


def test_who_sends_is_asked_once_for_all_domains(
    good: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Server] = []

    def domains(server: Server) -> dict[str, Place]:
        asked.append(server)
        return {}

    monkeypatch.setattr(senders, "domains", domains)
    assert good.found(mail_exchangers) == []
    assert len(asked) == 1


ELSEWHERE = (
    "4 unseen mx-elsewhere: the MX of example.com is not this machine: mx.example.net"
    " -> name the addresses of this server: opensmtpd-plugins check --address ADDRESS"
)


def test_another_host_may_receive_for_this_one(
    good: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = good._replace(records=without(ZONE, "example.com MX mail"))
    assert elsewhere.found(mail_exchangers) == [ELSEWHERE]
    assert elsewhere._replace(addresses=("192.0.2.50",)).found(mail_exchangers) == []
    inside = elsewhere._replace(text=TEXT.replace("0.0.0.0", "127.0.0.1"))
    assert inside.found(mail_exchangers) == []
    only_local = elsewhere._replace(text=TEXT.replace("from any", "from local"))
    assert only_local.found(mail_exchangers) == []
    slow = elsewhere._replace(slow=("mx.example.net AAAA",))
    assert slow.found(mail_exchangers) == []
    private = ip_address("10.0.0.5")
    monkeypatch.setattr(own_addresses, "outgoing", lambda: [private])
    assert elsewhere.found(mail_exchangers) == []


def test_an_exchanger_that_is_not_there(good: Situation) -> None:
    dead = good._replace(records=without(ZONE, "mail.example.com A"))
    assert dead.found(mail_exchangers) == [
        "4 warning mx-dead: the MX of example.com names mail.example.com, which has no address in"
        " the DNS -> publish an address of mail.example.com, or take it out of the MX records"
    ]
    assert dead._replace(slow=("mail.example.com A",)).found(mail_exchangers) == []
    literal = good._replace(records=(*ZONE, "sub.example.com MX 192.0.2.1"))
    assert literal.found(mail_exchangers) == [
        "4 warning mx-dead: the MX of sub.example.com is 192.0.2.1: an address, where a name"
        " belongs -> publish an A record for a name, and name that in the MX record"
    ]


def test_what_the_dns_does_not_tell(good: Situation) -> None:
    slow = good._replace(slow=("example.com MX", "_mta-sts.example.com TXT"))
    assert slow.found(mail_exchangers, receiving_policies) == [
        "4 unseen mx-unseen: the DNS did not tell the MX of example.com: timed out",
        "4 unseen mta-sts-unseen: the DNS did not tell _mta-sts.example.com: timed out",
    ]


def test_policies_that_do_not_count(good: Situation) -> None:
    right = (
        "_mta-sts.example.com TXT v=STSv1; id=1",
        "mta-sts.example.com A 192.0.2.1",
        "_smtp._tls.example.com TXT v=TLSRPTv1; rua=mailto:tls@example.com",
    )
    assert good._replace(records=(*ZONE, *right)).found(receiving_policies) == []
    wrong = (right[0], right[2].replace("mailto:", ""))
    assert good._replace(records=(*ZONE, *wrong)).found(receiving_policies) == [
        "4 warning mta-sts-wrong: the record _mta-sts.example.com does not count:"
        " mta-sts.example.com, which has the policy, has no address"
        " -> mend it, or take it away; it says: v=STSv1; id=1",
        "4 warning tls-rpt-wrong: the record _smtp._tls.example.com does not count:"
        " its rua= is no list of mailto: and https: addresses"
        " -> mend it, or take it away; it says: v=TLSRPTv1; rua=tls@example.com",
    ]
