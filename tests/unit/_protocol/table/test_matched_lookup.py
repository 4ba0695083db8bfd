"""Rows that a table is asked for where a key may match a row that is spelled otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import CoroutineType
from typing import Any

import pytest

from opensmtpd._protocol.table.matched_lookup import checker, find
from opensmtpd.table import Patterns, Service, Table
from unit.support.lookups import Rows, SlowRows
from unit.support.talk import run

BOTH = pytest.mark.parametrize("kind", [Rows, SlowRows], ids=["plain", "async"])


def found(table: Table, service: Service, key: str) -> Any:
    """Look a key up, to the end."""
    answer = find(table, table.lookup, service, key)
    return run(answer) if isinstance(answer, CoroutineType) else answer


# --- a check of its own ---------------------------------------------------------------------------


def test_without_a_check_of_its_own_a_table_is_looked_up() -> None:
    assert checker(table := Rows("alice")) == table.lookup


def test_a_check_of_its_own_is_used() -> None:
    class Quick(Rows):
        def check(self, service: Service, key: str) -> bool:
            return True

    assert checker(table := Quick()) == table.check


# --- literal keys ---------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("service", list(Service))
def test_the_literal_row_is_the_first_asked_for_and_the_last(
    kind: type[Rows], service: Service
) -> None:
    table = kind("a.example.org", "*.example.org")
    assert found(table, service, "a.example.org") == "found it"
    assert table.asked == ["a.example.org"]


@BOTH
@pytest.mark.parametrize(
    "service", sorted(set(Service) - {Service.DOMAIN, Service.NETADDR, Service.MAILADDR})
)
@pytest.mark.parametrize("key", ["a.example.org", "alice@example.org", "192.0.2.1", "@", ""])
def test_keys_of_other_services_mean_nothing_else(
    kind: type[Rows], service: Service, key: str
) -> None:
    table = kind("*", "*.example.org", "@example.org", "0.0.0.0/0", "@*")
    assert not found(table, service, key) or key in table.rows
    assert table.asked == [key]


# --- rows that match ------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("service", "row", "key"),
    [
        (Service.DOMAIN, "*.example.org", "a.example.org"),
        (Service.DOMAIN, "*.*.example.org", "a.b.example.org"),
        (Service.DOMAIN, "*", "a.example.org"),
        (Service.NETADDR, "192.0.2.0/24", "192.0.2.77"),
        (Service.NETADDR, "0.0.0.0/0", "192.0.2.77"),
        (Service.NETADDR, "2001:db8::/32", "[2001:db8::1]"),
        (Service.NETADDR, "[2001:db8::/32]", "[2001:db8::1]"),
        (Service.NETADDR, "2001:db8::1", "[2001:db8::1]"),
        (Service.MAILADDR, "@example.org", "alice@example.org"),
        (Service.MAILADDR, "alice@example.org", "alice+tag@example.org"),
        (Service.MAILADDR, "alice@", "alice@example.org"),
        (Service.MAILADDR, "@*.example.org", "alice@a.example.org"),
        (Service.MAILADDR, "@", "alice@example.org"),
    ],
)
def test_wildcards_networks_and_addresses(
    kind: type[Rows], service: Service, row: str, key: str
) -> None:
    table = kind(row, "other.example.net")
    assert found(table, service, key) == "found it"
    assert table.asked[0] == key
    assert table.asked[-1] == row


@BOTH
@pytest.mark.parametrize(
    ("service", "row", "key"),
    [
        (Service.DOMAIN, "*.example.org", "example.org"),
        (Service.DOMAIN, "*.example.org", "a.b.example.org"),
        (Service.NETADDR, "192.0.2.0/24", "192.0.3.1"),
        (Service.NETADDR, "192.0.2.0/24", "[::ffff:192.0.2.1]"),
        (Service.MAILADDR, "@example.org", "alice@a.example.org"),
        (Service.MAILADDR, "alice+tag@example.org", "alice@example.org"),
    ],
)
def test_what_does_not_match(kind: type[Rows], service: Service, row: str, key: str) -> None:
    assert found(kind(row), service, key) is None


@BOTH
def test_of_rows_that_match_the_most_specific_is_found(kind: type[Rows]) -> None:
    table = kind(**{"*": "all", "*.example.org": "labels", "a.example.org": "literal"})
    answers = []
    while table.rows:
        answers.append(found(table, Service.DOMAIN, "a.example.org"))
        table.asked = []
        table.rows = {key: row for key, row in table.rows.items() if row != answers[-1]}
    assert answers == ["literal", "labels", "all"]


@BOTH
def test_another_delimiter_of_tags(kind: type[Rows]) -> None:
    table = kind("alice@example.org")
    table.delimiter = "-"
    assert found(table, Service.MAILADDR, "alice+tag@example.org") is None
    assert found(table, Service.MAILADDR, "alice-tag@example.org") == "found it"


# --- an index -------------------------------------------------------------------------------------


def indexed(kind: type[Rows], service: Service, *rows: str, stored: bool = True) -> Rows:
    """Return a table with an index; ``stored``: do its rows exist, too?"""

    class Indexed(kind):  # type: ignore[misc, valid-type]  # a base class by name only
        def patterns(self, asked: Service) -> Patterns | None:
            return Patterns(service, rows) if asked is service else None

    return Indexed(*rows if stored else ())


@BOTH
@pytest.mark.parametrize(
    ("service", "row", "key", "other"),
    [
        (Service.DOMAIN, "mail*.example.org", "mail7.example.org", "nomail7.example.org"),
        (Service.NETADDR, "[2001:db8::/32]", "[2001:db8::1]", "[2002:db8::1]"),
        (Service.NETADDR, "10/8", "10.1.2.3", "11.1.2.3"),
        (Service.MAILADDR, "@mail*.example.org", "alice@mail7.example.org", "alice@example.org"),
        (Service.REGEX, "^a+[0-9]$", "aa7", "ab7"),
    ],
)
def test_an_index_knows_odd_rows_and_costs_one_more_question(
    kind: type[Rows], service: Service, row: str, key: str, other: str
) -> None:
    table = indexed(kind, service, row)
    assert found(table, service, key) == "found it"
    assert table.asked[-1] == row
    assert len(table.asked) <= 2
    table.asked = []
    assert found(table, service, other) is None
    assert len(table.asked) <= 1


@BOTH
def test_a_row_that_vanished_after_the_index_was_made(kind: type[Rows]) -> None:
    table = indexed(kind, Service.DOMAIN, "*.example.org", stored=False)
    assert found(table, Service.DOMAIN, "a.example.org") is None
    assert table.asked == ["a.example.org", "*.example.org"]


@BOTH
def test_the_literal_row_of_an_index_is_not_asked_for_twice(kind: type[Rows]) -> None:
    table = indexed(kind, Service.DOMAIN, "a.example.org", stored=False)
    assert found(table, Service.DOMAIN, "a.example.org") is None
    assert table.asked == ["a.example.org"]


@BOTH
def test_a_key_that_is_spelled_like_an_expression_is_none(kind: type[Rows]) -> None:
    table = indexed(kind, Service.REGEX, "a.c", "[")
    assert found(table, Service.REGEX, "abc") == "found it"
    assert found(table, Service.REGEX, "[") is None
    assert found(table, Service.REGEX, "a.c") == "found it"  # as it matches itself


# --- one look at all candidates -------------------------------------------------------------------


def test_all_rows_that_may_match_are_asked_for_together() -> None:
    class Together(Rows):
        inside = False

        @contextmanager
        def snapshot(self) -> Iterator[None]:
            self.inside = True
            yield
            self.inside = False

        def lookup(self, service: Service, key: str) -> None:
            self.asked.append(f"{key} {self.inside}")

    table = Together()
    assert found(table, Service.DOMAIN, "a.b.c") is None
    assert table.asked == ["a.b.c False", "*.b.c True", "*.*.c True", "*.*.* True", "* True"]
    assert not table.inside


@BOTH
def test_what_lookups_raise_is_not_hidden(kind: type[Rows]) -> None:
    class Fails(kind):  # type: ignore[misc, valid-type]  # a base class by name only
        def lookup(self, service: Service, key: str) -> Any:
            if key == "*.c":
                raise KeyError(key)
            return super().lookup(service, key)

    with pytest.raises(KeyError):
        found(Fails(), Service.DOMAIN, "b.c")
