"""Rows that are patterns."""

import pytest

from opensmtpd.backends.sql.patterns import PatternIndex
from opensmtpd.table import Service


def test_an_index_finds_the_row(logged: list[str]) -> None:
    index = PatternIndex(Service.DOMAIN, ["*.org", "*.net"], "+", "/etc/mail/x.conf")
    assert index.patterns.find("example.net") == "*.net"
    assert index.patterns.find("example.com") is None
    assert logged == []


@pytest.mark.parametrize(
    ("rows", "same"),
    [(["*.org", "*.net"], True), (["*.org"], False), (["*.net", "*.org"], False), ([], False)],
)
def test_it_knows_its_rows(rows: list[str], same: bool) -> None:
    index = PatternIndex(Service.DOMAIN, ["*.org", "*.net"], "+", "/etc/mail/x.conf")
    assert index.still(rows) == same


def test_rows_that_are_no_patterns_are_counted_in_the_log(logged: list[str]) -> None:
    rows = ["10.0.0.0/8", "10.0.0.0/x", "10.0.0.0/y"]
    index = PatternIndex(Service.NETADDR, rows, "+", "/etc/mail/x.conf")
    assert index.patterns.find("10.1.2.3") == "10.0.0.0/8"
    assert len(logged) == 1
    assert logged[0].startswith(
        "rows-ignored path=/etc/mail/x.conf service=netaddr count=2 first=10.0.0.0/x reason="
    )
