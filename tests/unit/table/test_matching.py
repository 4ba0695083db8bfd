"""What the services have in common: literal rows, unreadable ones, and what is too long."""

import pytest

from opensmtpd.table import Patterns, Service
from opensmtpd.table.matching import candidates

LITERAL = [
    service
    for service in Service
    if service not in (Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.REGEX)
]


@pytest.mark.parametrize("service", LITERAL)
def test_other_services_know_no_patterns(service: Service) -> None:
    index = Patterns(service, ["*", "@", "Alice", "0/0", "É", "a.*"])
    assert index.find("alice") == "Alice"
    assert index.find("ALICE") == "Alice"
    assert index.find("É") == "É"
    assert [index.find(key) for key in ("a.b", "é", "alice@example.org", "10.0.0.1", "")] == [
        None
    ] * 5
    assert list(candidates(service, "alice@a.example")) == []


def test_no_candidates_of_a_regular_expression() -> None:
    assert list(candidates(Service.REGEX, "a.b")) == []


def test_each_service_has_its_meaning() -> None:
    rows = ["*.org", "10/8", "@x.org", "^x"]
    found = {
        service: [
            Patterns(service, rows).find(key) for key in ("a.org", "10.1.1.1", "a@x.org", "x")
        ]
        for service in (Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.REGEX)
    }
    assert found == {
        Service.DOMAIN: ["*.org", None, "*.org", None],
        Service.NETADDR: [None, "10/8", None, None],
        Service.MAILADDR: [None, None, "@x.org", None],
        Service.REGEX: [None, None, "@x.org", "^x"],
    }


def test_candidates_of_each_service() -> None:
    assert list(candidates(Service.DOMAIN, "A.Example")) == ["*.example", "*.*", "*"]
    assert list(candidates(Service.MAILADDR, "u-t@x", "-")) == [
        *("u@x", "u-t@*", "u@*", "u-t@", "u-t", "u@", "u", "@x", "@*", "@"),
    ]
    assert next(candidates(Service.NETADDR, "[::FFFF:1.2.3.4]")) == "::ffff:1.2.3.4"
    assert list(candidates(Service.DOMAIN, "\udcff.é")) == ["*.é", "*.*", "*"]


@pytest.mark.parametrize("service", [Service.DOMAIN, Service.MAILADDR, Service.REGEX])
def test_an_empty_row_is_unreadable(service: Service) -> None:
    index = Patterns(service, ["", "x", ""])
    assert index.unreadable == ["", ""]
    assert len(index) == 1
    assert [index.find(key) for key in ("", "y", "y@z", "y.z")] == [None] * 4


def test_rows_that_cannot_be_read_are_listed_as_they_were_written() -> None:
    for service, rows, bad, reason in (
        (Service.REGEX, ["a", "(B", r"\D"], ["(B", r"\D"], "a group without its end"),
        (Service.NETADDR, ["10/8", "10.0.0.0/40", "local"], ["10.0.0.0/40"], "no network"),
        (
            *(Service.MAILADDR, ["a", "A" * 256, ""], ["A" * 256, ""]),
            "a user or a domain of over 255 bytes",
        ),
        (Service.DOMAIN, ["a", "b" * 1024], ["b" * 1024], "over 1023 bytes"),
        (Service.STRING, ["", "a"], [""], "an empty row"),
    ):
        index = Patterns(service, rows)
        assert index.unreadable == bad
        assert index.reason == reason
    assert Patterns(Service.REGEX, ["a"]).reason == ""


@pytest.mark.parametrize("service", Service)
def test_rows_and_keys_longer_than_smtpd_takes(service: Service) -> None:
    index = Patterns(service, ["*", "@", ".*", "é" * 512])
    assert "é" * 512 in index.unreadable
    for key in ("é" * 512, "a" * 1024):
        assert index.find(key) is None
        assert list(candidates(service, key)) == []


def test_the_longest_row_and_key() -> None:
    name = "é" * 511 + "x"
    assert Patterns(Service.DOMAIN, [name]).find(name) == name
    assert list(candidates(Service.DOMAIN, name)) == ["*"]


def test_rows_given_twice_count_twice() -> None:
    index = Patterns(Service.DOMAIN, iter(["a.example", "A.example", "*"]))
    assert len(index) == 3
    assert index.find("a.example") == "a.example"
