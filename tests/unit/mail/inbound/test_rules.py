"""The rules that hold where the administrator gave none."""

from opensmtpd.mail.inbound.rules import InboundRules
from unit.support.mail_client import client


def test_the_defaults_change_no_message_and_trust_nobody() -> None:
    rules = InboundRules()
    assert (rules.enforce, rules.several_authors, rules.no_author) == (False, "none", "none")
    assert (rules.policies, rules.protected, rules.sealers) == ({}, frozenset(), frozenset())
    assert client("192.0.2.5", "mx.example.com") not in rules.forwarders
