"""Domains without a key: each is new once, and there is an end of them."""

from opensmtpd.mail.dkim.sign.strangers import STRANGERS_MAX, Strangers


def test_each_domain_is_new_once() -> None:
    strangers = Strangers()
    assert [strangers.is_new(domain) for domain in (b"a", b"b", b"a", b"b")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not strangers.full


def test_no_more_than_the_limit() -> None:
    strangers = Strangers()
    new = [strangers.is_new(b"%d" % number) for number in range(STRANGERS_MAX + 10)]
    assert new == [True] * 256 + [False] * 10
    assert strangers.full
    assert Strangers().is_new(b"1")
