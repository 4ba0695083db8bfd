"""The defaults of a match."""

from opensmtpd_cli.smtpdconf.directives import Condition, MatchRule, Place

PLACE = Place("/etc/smtpd.conf", 7)


def test_a_match_without_from_and_for_is_local() -> None:
    match = MatchRule(PLACE, "out", (Condition("auth"),))
    assert (match.from_, match.for_) == (Condition("from", "local"), Condition("for", "local"))


def test_a_match_says_where_mail_comes_from_and_goes_to() -> None:
    auth, domain = Condition("from", "auth"), Condition("for", "domain", negated=True)
    match = MatchRule(PLACE, "", (domain, Condition("tls"), auth))
    assert (match.from_, match.for_) == (auth, domain)
