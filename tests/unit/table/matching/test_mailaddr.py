"""Mail addresses, as ``text_to_mailaddr`` and ``mailaddr_match`` have them."""

import pytest

from opensmtpd.table.matching.mailaddr import Mailaddrs, mailaddr_candidates


def found(row: str, key: str, delimiter: str = "+") -> bool:
    index = Mailaddrs(delimiter)
    index.add(row)
    return index.find(key) == row


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("User@Example.org", "user@example.org"),
        ("user", "user@example.org"),
        ("user@", "user@example.org"),
        ("user", "user"),
        ("@example.org", "user@example.org"),
        ("@", "user@example.org"),
        ("@", "@"),
        ("@", ""),
        ("@", "user"),
        ("user@*.example.org", "user@a.example.org"),
        ("@*.example.org", "user@a.example.org"),
        ("@*", "user@example.org"),
        ("@mail*.example.*", "user@mail7.example.net"),
        ("user@mail*.example.*", "user@mail7.example.net"),
        ("user@example.org", "user+tag@example.org"),
        ("user", "user+tag@example.org"),
        ("user", "user+tag+more@example.org"),
        ("user+tag@example.org", "user+tag@example.org"),
        ("user+tag", "user+tag@example.org"),
        ("user@*", "user+tag@example.org"),
        ("@example.org", "+tag@example.org"),
        ("a@b@example.org", "a@b@example.org"),
        ("a@b@", "a@b@example.org"),
    ],
)
def test_matches(row: str, key: str) -> None:
    assert found(row, key)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ("user@example.org", "user@a.example.org"),
        ("user@example.org", "users@example.org"),
        ("user", "users@example.org"),
        ("user@*.example.org", "user@example.org"),
        ("user@*.example.org", "user@a.b.example.org"),
        ("@*", "user"),
        ("@*", "@"),
        ("user*@example.org", "users@example.org"),  # stars are for domains
        ("user+tag@example.org", "user@example.org"),
        ("user+tag@example.org", "user+other@example.org"),
        ("user+tag@example.org", "user+tag+more@example.org"),
        ("user+@example.org", "user+tag@example.org"),
        ("user-tag@example.org", "user@example.org"),
        ("a@b", "a@b@example.org"),
        ("x@", "x@@example.org"),
        ("example.org", "user@example.org"),
    ],
)
def test_does_not_match(row: str, key: str) -> None:
    assert not found(row, key)


@pytest.mark.parametrize(
    ("delimiter", "key", "expected"),
    [
        ("-", "user-tag@example.org", True),
        ("-", "user+tag@example.org", False),
        ("", "user+tag@example.org", False),
        ("", "user@example.org", True),
    ],
)
def test_delimiters(delimiter: str, key: str, expected: bool) -> None:
    assert found("user@example.org", key, delimiter) is expected


CANDIDATES = [
    "user@a.example",
    "user+tag@*.example",
    "user@*.example",
    "user+tag@*.*",
    "user@*.*",
    "user+tag@*",
    "user@*",
    "user+tag@",
    "user+tag",
    "user@",
    "user",
    "@a.example",
    "@*.example",
    "@*.*",
    "@*",
    "@",
]


def test_candidates() -> None:
    assert list(mailaddr_candidates("user+tag@a.example", "+")) == CANDIDATES


def test_from_the_most_to_the_least_specific() -> None:
    rows = ["user+tag@a.example", *CANDIDATES]
    while rows:
        index = Mailaddrs("+")
        for row in rows:
            index.add(row)
        assert index.find("user+tag@a.example") == rows.pop(0)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ("user", ["user@", "@"]),
        ("user@", ["user", "@"]),
        ("@a", ["@*", "@"]),
        ("@", []),
        ("", ["@"]),
        ("+tag@a", ["+tag@*", "+tag@", "+tag", "@a", "@*", "@"]),
        ("x@y@a", ["x@y@*", "x@y@", "@a", "@*", "@"]),
    ],
)
def test_candidates_of_parts(key: str, rows: list[str]) -> None:
    assert list(mailaddr_candidates(key, "+")) == rows


@pytest.mark.parametrize("key", ["u" * 256 + "@example.org", "user@" + "d" * 256])
def test_a_part_that_is_too_long_matches_nothing(key: str) -> None:
    index = Mailaddrs("+")
    with pytest.raises(ValueError, match=r"a user or a domain of over 255 bytes"):
        index.add(key)
    index.add("@")
    assert index.find(key) is None
    assert list(mailaddr_candidates(key, "+")) == []


def test_parts_as_long_as_they_may_be() -> None:
    key = "u" * 255 + "@" + "d" * 251 + ".org"
    assert found(key, key)
    assert f"{'u' * 255}@*.org" in mailaddr_candidates(key, "+")
    # A star for an empty label makes a row one longer than smtpd takes.
    assert f"@*.{'d' * 254}" not in mailaddr_candidates(f"user@.{'d' * 254}", "+")
