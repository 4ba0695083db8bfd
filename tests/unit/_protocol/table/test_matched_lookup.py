"""Rows that a table is asked for where a key may match a row that is spelled otherwise."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CoroutineType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._protocol.table.matched_lookup import MATCHED, checker, find, several
from opensmtpd.errors import DecisionError
from opensmtpd.table import Patterns, Service, Table
from opensmtpd.table.matching import candidates
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


# --- all rows at once -----------------------------------------------------------------------------


class ManyRows(Rows):
    """Is asked for all rows at once."""

    def lookup_many(self, service: Service, keys: Sequence[str]) -> Any:
        self.asked.append(" ".join(keys))
        return [self.rows.get(key) for key in keys]


class SlowManyRows(ManyRows):
    """The same, from coroutines."""

    async def lookup_many(self, service: Service, keys: Sequence[str]) -> Any:
        return super().lookup_many(service, keys)


MANY = pytest.mark.parametrize("kind", [ManyRows, SlowManyRows], ids=["plain", "async"])


def found_at_once(table: Table, service: Service, key: str) -> Any:
    answer = find(table, table.lookup, service, key, several(table, table.lookup))
    return run(answer) if isinstance(answer, CoroutineType) else answer


@MANY
def test_the_key_and_all_candidates_make_one_question(kind: type[ManyRows]) -> None:
    table = kind("*.b.c")
    assert found_at_once(table, Service.DOMAIN, "a.b.c") == "found it"
    assert found_at_once(table, Service.DOMAIN, "a.b.d") is None
    assert table.asked == ["a.b.c *.b.c *.*.c *.*.* *", "a.b.d *.b.d *.*.d *.*.* *"]


@MANY
def test_of_many_answers_the_first_that_is_one_counts(kind: type[ManyRows]) -> None:
    table = kind(**{"*": "all", "*.b.c": "labels"})
    assert found_at_once(table, Service.DOMAIN, "a.b.c") == "labels"


@MANY
def test_an_index_takes_the_place_of_candidates(kind: type[ManyRows]) -> None:
    table = indexed(kind, Service.DOMAIN, "mail*.b.c")
    assert found_at_once(table, Service.DOMAIN, "mail7.b.c") == "found it"
    assert found_at_once(table, Service.DOMAIN, "other.b.c") is None
    assert table.asked == ["mail7.b.c mail*.b.c", "other.b.c"]
    table = indexed(kind, Service.REGEX, "a.c")
    assert found_at_once(table, Service.REGEX, "abc") == "found it"
    assert table.asked == ["a.c"]


@MANY
def test_an_expression_without_an_index_is_a_key(kind: type[ManyRows]) -> None:
    table = kind("a.c")
    assert found_at_once(table, Service.REGEX, "a.c") == "found it"
    assert table.asked == ["a.c"]


@pytest.mark.parametrize("answers", [None, "found it", ("found it",), True])
def test_what_is_no_list_of_answers(answers: object) -> None:
    class Wrong(Rows):
        def lookup_many(self, service: Service, keys: Sequence[str]) -> Any:
            return answers

    with pytest.raises(DecisionError):
        found_at_once(Wrong(), Service.DOMAIN, "a.b.c")


def test_a_list_may_end_behind_the_first_answer() -> None:
    class Short(Rows):
        def lookup_many(self, service: Service, keys: Sequence[str]) -> Any:
            return [None, "labels"]

    assert found_at_once(Short(), Service.DOMAIN, "a.b.c") == "labels"


def test_which_method_is_asked_for_many() -> None:
    class Checked(ManyRows):
        def check(self, service: Service, key: str) -> bool:
            return True

    class CheckedMany(Checked):
        def check_many(self, service: Service, keys: Sequence[str]) -> list[bool]:
            return [True]

    rows, many, checked, both = Rows(), ManyRows(), Checked(), CheckedMany()
    assert several(rows, rows.lookup) is None
    assert several(rows, checker(rows)) is None
    assert several(many, many.lookup) == many.lookup_many
    assert several(many, checker(many)) == many.lookup_many
    assert several(checked, checker(checked)) is None
    assert several(both, checker(both)) == both.check_many


NAMES = st.sampled_from(["a.b.c", "x.b.c", "b.c", "[2001:db8::1]", "192.0.2.7", "eve+x@b.c", "@"])


@given(st.sampled_from(sorted(MATCHED)), NAMES, st.data())
def test_at_once_is_one_by_one(service: Service, key: str, data: st.DataObject) -> None:
    """The same answer, whatever rows there are, and whether there is an index."""
    rows = [key, *candidates(service, key), "a*.b.c", "10/8"]
    stored = data.draw(st.lists(st.sampled_from(rows), unique=True, max_size=5))
    with_index = data.draw(st.booleans())
    values = {row: f"value of {row}" for row in stored}
    for kind in (Rows, SlowRows, ManyRows, SlowManyRows):
        table = indexed(kind, service, *stored) if with_index else kind(**values)
        table.rows = values
        one_by_one = found(table, service, key)
        if isinstance(table, ManyRows):
            assert found_at_once(table, service, key) == one_by_one
