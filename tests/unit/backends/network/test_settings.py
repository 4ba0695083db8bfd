"""The keys that all tables over a network know."""

import pytest

from opensmtpd.backends.network.settings import Settings
from opensmtpd.table import Service


def test_what_does_not_stand_there_is_the_default() -> None:
    settings = Settings()
    assert (settings.timeout, settings.stale, settings.stale_credentials) == (1.0, 0.0, False)
    assert settings.matched == {Service.DOMAIN, Service.MAILADDR, Service.NETADDR}
    assert (settings.expire, settings.refresh) == (60, 1000)
    assert (settings.delimiter, settings.force_auth, settings.sandbox) == ("+", False, True)
    assert settings.table == ""


@pytest.mark.parametrize(
    ("key", "value", "name", "expected"),
    [
        ("timeout", "0.05", "timeout", 0.05),
        ("timeout", "2", "timeout", 2.0),
        ("stale", "3600", "stale", 3600.0),
        ("stale", "0", "stale", 0.0),
        ("stale_credentials", "yes", "stale_credentials", True),
        ("match", "none", "matched", frozenset()),
        ("match", "domain", "matched", {Service.DOMAIN}),
        ("match", "netaddr \t mailaddr", "matched", {Service.NETADDR, Service.MAILADDR}),
        ("fetch_source_expire", "30", "expire", 30),
        ("fetch_source_refresh", "20", "refresh", 20),
        ("sub_addr_delim", "-", "delimiter", "-"),
        ("auth_before_7.9", "yes", "force_auth", True),
        ("sandbox", "no", "sandbox", False),
    ],
)
def test_a_key(key: str, value: str, name: str, expected: object) -> None:
    settings = Settings()
    assert settings.set(key, value, 3)
    assert getattr(settings, name) == expected


@pytest.mark.parametrize("key", ["host", "Timeout", "timeouts", "", "table"])
def test_a_key_of_others(key: str) -> None:
    settings = Settings()
    assert not settings.set(key, "1")
    assert vars(settings) == vars(Settings())


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("timeout", "0.01", "'0.01' is no number of seconds from 0.05 to 2"),
        ("timeout", "5", "'5' is no number of seconds from 0.05 to 2"),
        ("timeout", "nan", "'nan' is no number of seconds from 0.05 to 2"),
        ("timeout", "-1", "'-1' is no number of seconds from 0.05 to 2"),
        ("stale", "604801", "'604801' is no number of seconds from 0 to 604800"),
        ("stale", "1h", "'1h' is no number of seconds from 0 to 604800"),
        ("stale_credentials", "true", "'true' is neither yes nor no"),
        ("match", "domain none", "'none' is none of domain, mailaddr, netaddr"),
        ("match", "alias", "'alias' is none of domain, mailaddr, netaddr"),
        ("sub_addr_delim", "++", "'++' is not one character"),
        ("fetch_source_expire", "-1", "'-1' is no number from 0 to 2147483647"),
    ],
)
def test_a_value_that_cannot_be_used(key: str, value: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Settings().set(key, value)
    assert str(caught.value) == fault
