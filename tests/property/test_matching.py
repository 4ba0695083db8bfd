"""The index and the candidates against a model of what smtpd matches, over rows that collide."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opensmtpd.table import Patterns, Service
from opensmtpd.table.matching import candidates
from opensmtpd.table.matching.regex import compile_row
from property import libc_regex
from property.smtpd_matching import matches

LABELS = st.sampled_from(["a", "b", "A", "ab", "mail", "mail1", "", "é", "ã", "\udcff"])
STARRED = st.sampled_from(["*", "*", "*", "**", "mail*", "*a", "a*b", "*b*", "*\udcc3"])
NAMES = st.one_of(
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.text("ab.*", max_size=6),
)
HOSTS = st.one_of(
    NAMES,
    st.tuples(st.integers(1, 3), NAMES).map(lambda row: "*." * row[0] + row[1]),
    st.integers(1, 4).map(lambda number: ".".join("*" * number)),
    st.lists(st.one_of(LABELS, STARRED), min_size=1, max_size=4).map(".".join),
)

USERS = st.one_of(
    st.sampled_from(["", "a", "A", "b", "a+b", "a+", "+b", "a+b+a", "a-b", "a@b", "@", "a*", "é"]),
    st.text("ab+-@", max_size=4),
)


def addresses(domains: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(USERS, domains).map("@".join), domains.map("@{}".format), USERS, st.just("@")
    )


NUMBERS = st.sampled_from(["0", "1", "10", "010", "127", "128", "192", "224", "239", "255", "256"])
IPV4 = st.one_of(
    st.lists(NUMBERS, min_size=1, max_size=5).map(".".join),
    st.sampled_from(["10.0.0.1", "10.0.0.2", "10.1", "0x0a", "0x0A0", "0xa000001f", "0x0a000001"]),
    st.text("0x1af.", max_size=5),
)
IPV6 = st.sampled_from(
    [
        "::1",
        "::",
        "::2",
        "2001:db8::1",
        "2001:DB8::",
        "2001:db8:0:0::1",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        ":::",
        "::01.2.3.4",
        "::10.0.0.1",
        "2001:0db8:0000:0000:0000:0000:255.255.255.255",
    ]
)
LENGTHS = st.one_of(
    st.integers(0, 130).map("/{}".format),
    st.sampled_from(["", "", "", "/", "/08", "/+8", "/-0", "/ 8", "/8 ", "/4294967304", "/000128"]),
)
PREFIXES = st.sampled_from(["", "", "", "IPv6:", "ipv6:"])
NETWORKS = st.one_of(
    st.tuples(PREFIXES, st.one_of(IPV4, IPV6), LENGTHS).map("".join),
    st.tuples(
        PREFIXES, st.just("["), PREFIXES, st.one_of(IPV4, IPV6), LENGTHS, st.sampled_from("]]]/")
    ).map("".join),
    st.sampled_from(["local", "LOCAL", "[", "[]", "[ipv6:]", ""]),
)

LITERALS = st.text("aAé", max_size=2)
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=40)

ROWS: dict[Service, tuple[st.SearchStrategy[str], st.SearchStrategy[str]]] = {
    Service.DOMAIN: (NAMES, HOSTS),
    Service.MAILADDR: (addresses(NAMES), addresses(HOSTS)),
    Service.NETADDR: (NETWORKS, NETWORKS),
    Service.STRING: (LITERALS, LITERALS),
}
SERVICES = pytest.mark.parametrize("service", ROWS)
DELIMITERS = st.sampled_from(["+", "+", "-", ""])


def lower(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").lower()


@SERVICES
@settings(max_examples=600)
@given(data=st.data(), delimiter=DELIMITERS)
def test_the_index_finds_what_smtpd_finds(
    service: Service, data: st.DataObject, delimiter: str
) -> None:
    keys, rows = ROWS[service]
    table = data.draw(st.lists(rows, max_size=8))
    index = Patterns(service, table, delimiter)
    for key in data.draw(st.lists(keys, min_size=1, max_size=5)):
        matching = [row for row in table if matches(service, key, row, delimiter)]
        found = index.find(key)
        assert (found is None) == (matching == [])
        assert found is None or found in matching
        if lower(key) in map(lower, matching):  # what reads the same wins
            assert found is not None
            assert lower(found) == lower(key)


@SERVICES
@settings(max_examples=600)
@given(data=st.data(), delimiter=DELIMITERS)
def test_candidates_match_and_come_in_the_order_of_the_index(
    service: Service, data: st.DataObject, delimiter: str
) -> None:
    key = data.draw(ROWS[service][0])
    rows = list(candidates(service, key, delimiter))
    assert [row for row in rows if not matches(service, key, row, delimiter)] == []
    assert len(set(rows)) == len(rows)
    assert lower(key) not in [row.encode("utf-8", "surrogateescape") for row in rows]
    some = [row for row in rows if data.draw(st.booleans())] if len(rows) < 20 else rows[5::7]
    if "*" not in key:  # what a star in a key is worth is nobody's business
        assert Patterns(service, some, delimiter).find(key) == next(iter(some), None)


@settings(max_examples=600)
@given(st.text("ab.", min_size=1, max_size=8), st.lists(HOSTS, max_size=8))
def test_the_most_specific_pattern_is_found(name: str, rows: list[str]) -> None:
    def literal(row: str) -> int:
        raw = lower(row)
        return len(raw) - raw.count(b"*") + 1000 * (b"*" not in raw)

    matching = [row for row in rows if matches(Service.DOMAIN, name, row)]
    found = Patterns(Service.DOMAIN, rows).find(name)
    assert (-1 if found is None else literal(found)) == max(map(literal, matching), default=-1)


@pytest.mark.parametrize("service", Service)
@settings(max_examples=200)
@given(key=ANYTHING, rows=st.lists(ANYTHING, max_size=5), times=st.integers(1, 60))
def test_nothing_fails_whatever_a_key_says(
    service: Service, key: str, rows: list[str], times: int
) -> None:
    index = Patterns(service, [*rows, key, "*", "@", "::/0", "*.*", "x*y"])
    for text in (key, key * times):
        index.find(text)
        assert all(row != text for row in candidates(service, text))
    assert len(index) + len(index.unreadable) == len(rows) + 6


RANGES = st.sampled_from(
    [
        *("a-b", "b-d", "0-1", "!--", "+-.", "--/", "\x80-\xff", "[.a.]-[.c.]", "_-a", "!-b"),
        *("A-z", "A-B", "+-B", "B-b", "[.A.]-[.b.]", "A-\x80"),
    ]
)
CLASSES = st.sampled_from(
    [
        "alpha",
        "digit",
        "alnum",
        "lower",
        "upper",
        "space",
        "blank",
        "punct",
        "print",
        "graph",
        "cntrl",
        "xdigit",
    ]
).map("[:{}:]".format)
ELEMENTS = st.one_of(
    st.sampled_from(["a", "b", "1", ".", "[", "\\", "*", "$", "\\.", "[=a=]", "[.-.]", "\xe9"]),
    RANGES,
    CLASSES,
)
BRACKETS = st.tuples(
    st.sampled_from(["", "^"]),
    st.sampled_from(["", "]", "-"]),
    st.lists(ELEMENTS, min_size=1, max_size=3).map("".join),
    st.sampled_from(["", "-"]),
).map(lambda parts: f"[{''.join(parts)}]")
ATOMS = st.one_of(
    st.sampled_from(
        ["a", "b", "ab", ".", "1", "\\.", "\\\\", "\\-", "é", "]", "}", "()", "-", ","]
    ),
    st.sampled_from(["^", "$", r"\w", r"\W", r"\s", r"\S", r"\<", r"\>", r"\b", r"\B"]),
    BRACKETS,
)
QUANTIFIERS = st.sampled_from(
    ["", "", "*", "+", "?", "{2}", "{0,1}", "{1,}", "{,2}", "{0}", "*?", "+?", "*+", "{1,2}?"]
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(inner.map("({})".format), QUANTIFIERS).map("".join),
    )


EXPRESSIONS = st.recursive(st.tuples(ATOMS, QUANTIFIERS).map("".join), larger, max_leaves=6)
SOUP = st.text("ab12.*+?{}()[]^$|\\,-:=w<", max_size=10)
TEXTS = st.lists(st.text("ab1.-]\\_ é", max_size=7), min_size=1, max_size=6)  # a key is one line
glibc_only = pytest.mark.skipif(not libc_regex.IS_GLIBC, reason="compares with glibc")


def ours(pattern: str, texts: list[str]) -> list[bool] | None:
    if Patterns(Service.REGEX, [pattern]).unreadable:
        return None
    return [Patterns(Service.REGEX, [pattern]).find(text) is not None for text in texts]


def theirs(pattern: str, texts: list[str], *, caseless: bool = False) -> list[bool] | None:
    raw = [text.encode("utf-8", "surrogateescape") for text in (pattern, *texts)]
    return libc_regex.search(raw[0], raw[1:], caseless=caseless)


def lowered(texts: list[str]) -> list[str]:
    return [lower(text).decode("utf-8", "surrogateescape") for text in texts]


@glibc_only
@settings(max_examples=2000)
@given(pattern=EXPRESSIONS, texts=TEXTS)
def test_regular_expressions_match_as_in_the_c_library(pattern: str, texts: list[str]) -> None:
    assume(pattern)
    keys = lowered([*texts, *map(str.upper, texts)])
    caseless = lower(pattern) != pattern.encode("utf-8", "surrogateescape")
    assert ours(pattern, keys) == theirs(pattern, keys, caseless=caseless)
    assert ours(f"(?i){pattern}", keys) == theirs(pattern, keys, caseless=True)


@glibc_only
@settings(max_examples=500)
@given(pattern=EXPRESSIONS, texts=TEXTS)
def test_the_text_that_each_match_holds(pattern: str, texts: list[str]) -> None:
    """It is looked for first, and must be in all keys that the C library matches."""
    assume(pattern)
    try:
        literal = compile_row(f"(?i){pattern}").literal
    except ValueError:
        return
    keys = lowered(texts)
    for key, match in zip(keys, theirs(pattern, keys, caseless=True) or (), strict=False):
        assert not match or literal in lower(key)


def refused(pattern: str) -> bool:
    """Does a pattern hold what only we refuse?"""
    return bool(re.search(r"\\[0-9a-z]|\{[^}]*\d\d", pattern)) or not pattern


@glibc_only
@settings(max_examples=3000)
@given(pattern=SOUP, texts=TEXTS)
def test_what_is_no_regular_expression_is_none_here(pattern: str, texts: list[str]) -> None:
    assume(not refused(pattern))
    assert ours(pattern, texts) == theirs(pattern, texts)
