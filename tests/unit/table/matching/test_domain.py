"""Host names and stars, as ``hostname_match`` has them."""

import pytest

from opensmtpd.table import Patterns, Service
from opensmtpd.table.matching.domain import Domains, domain_candidates


def found(row: str, name: str) -> bool:
    index = Domains()
    index.add(row)
    return index.find(name) == row


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("example.org", "example.org"),
        ("Example.ORG", "example.org"),
        ("*", "a"),
        ("*", "a.b.c"),
        ("*", "."),
        ("*.example.org", "a.example.org"),
        ("**.example.org", "a.example.org"),
        ("*.example.org", ".example.org"),
        ("*.*.example.org", "a.b.example.org"),
        ("*.*", "a.b"),
        ("*.*", "a.b.c.d"),
        ("*.*.*", "a.b.c.d"),
        ("*.", "a."),
        ("mail*.example.org", "mail7.example.org"),
        ("mail*.example.org", "mail.example.org"),
        ("mail*.example.*", "mail7.example.com"),
        ("a.*.c", "a.b.c"),
        ("*example.org", "example.org"),
        ("*x*y", "axby"),
        ("a*", "ab.c.d"),
        ("*é", "aé"),
    ],
)
def test_matches(row: str, name: str) -> None:
    assert found(row, name.encode().decode("latin-1"))


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("example.org", "a.example.org"),
        ("example.org", "example.org."),
        ("*", ""),
        ("*.example.org", "example.org"),
        ("*.example.org", "a.b.example.org"),
        ("*.*.example.org", "a.example.org"),
        ("*.*.example.org", "a.b.c.example.org"),
        ("*.*", "a"),
        ("*.*", "a."),
        ("*.*.*", "a.b"),
        ("*.*.*", "a.b."),
        ("mail*.example.org", "mail.a.example.org"),
        ("mail*.example.*", "mail.example."),
        ("a*", "a"),
        ("ab*ba", "aba"),
        ("*example.org", "myexample.net"),
        # The star stops at the first e and does not come back.
        ("*example.org", "theexample.org"),
        ("*aab", "aaab"),
        # It stops at the first byte of the letter that follows, which another letter shares.
        ("*é", "ãé"),
        ("a?c", "abc"),
        ("[a]", "a"),
    ],
)
def test_does_not_match(row: str, name: str) -> None:
    assert not found(row, name.encode().decode("latin-1"))


def test_from_the_most_to_the_least_specific() -> None:
    rows = [
        "a.b.example.org",
        "a*.b.example.org",
        "*.b.example.org",
        "*.*.example.org",
        "*.*.*.org",
        "a*",
        "*",
    ]
    while rows:
        index = Domains()
        for row in reversed(rows):
            index.add(row)
        assert index.find("a.b.example.org") == rows.pop(0)


def test_the_row_is_returned_as_it_was_written_first() -> None:
    index = Domains()
    for row in ("*.Example.org", "*.example.ORG", "**.example.org"):
        index.add(row)
    assert index.find("a.example.org") == "*.Example.org"
    assert index.find("**.example.org") == "**.example.org"


@pytest.mark.parametrize("rows", [["**", "*"], ["*", "**"]])
def test_a_row_that_reads_like_the_name_wins_over_one_that_means_the_same(rows: list[str]) -> None:
    index = Domains()
    for row in rows:
        index.add(row)
    assert (index.find("*"), index.find("**")) == ("*", "**")


def test_owners_have_nothing_in_common() -> None:
    index = Domains()
    index.put("*.example.org", "one", "a@")
    index.put("m*.example.org", "two", "b@")
    assert index.best("mx.example.org") is None
    assert [index.best("mx.example.org", owner) for owner in ("a@", "b@", "c@")] == [
        (12, "one"),
        (13, "two"),
        None,
    ]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("a", ["*"]),
        ("a.b", ["*.b", "*.*", "*"]),
        ("a.b.c", ["*.b.c", "*.*.c", "*.*.*", "*"]),
        ("a.b.", ["*.b.", "*.*.", "*"]),
        (".b", ["*.b", "*.*", "*"]),
        ("*.b", ["*.*", "*"]),
        ("a.*", ["*.*", "*"]),
        ("*", []),
        ("", []),
    ],
)
def test_candidates(name: str, rows: list[str]) -> None:
    assert list(domain_candidates(name)) == rows


def test_candidates_are_no_longer_than_rows_may_be() -> None:
    assert list(domain_candidates("..ab", limit=5)) == ["*..ab", "*.*.*", "*"]


# --- rows that would keep a lookup busy -----------------------------------------------------------


def test_rows_that_all_would_have_to_be_tried() -> None:
    """All begin and end alike, so that each lookup tries them: 50,000 took a second."""
    index = Patterns(Service.DOMAIN, [f"{'*a' * 100}b{number}c*" for number in range(1000)])
    assert len(index) == 80_000 // 104
    assert len(index.unreadable) == 1000 - len(index)
    assert index.reason == "too many rows with stars within begin and end like it"
    assert index.find(f"{'a' * 100}b7cx") == f"{'*a' * 100}b7c*"
    assert index.find(f"{'a' * 100}b999cx") is None


def test_begins_and_ends_of_many_lengths() -> None:
    """A lookup tries all pairs of lengths that there are."""
    rows = [f"{'a' * begin}*b*{'c' * end}" for begin in range(400) for end in range(50)]
    index = Patterns(Service.DOMAIN, rows)
    assert 0 < len(index) < len(rows) == len(index) + len(index.unreadable)


def test_rows_that_end_otherwise_cost_nothing() -> None:
    rows = [f"mail*.example{number}.org" for number in range(100_000)]
    index = Patterns(Service.DOMAIN, rows)
    assert len(index) == 100_000
    assert index.find("mail7.example99999.org") == "mail*.example99999.org"
