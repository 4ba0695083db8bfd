"""Filters, with another reader of RFC 4515 as the judge: what is one, and what a key becomes."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.ldap.filters import SearchFilter
from opensmtpd.table import to_bytes, to_str
from unit.support.filter_judge import FilterJudge, FilterTree, NoFilter

NEVER = ("!", (b"objectClass", "=", [b"", b""]))
"""What no entry is."""
PLACES: dict[str, Callable[[bytes], bytes]] = {
    "%s": lambda key: key,
    "%u": lambda key: key,
    "%n": lambda key: key[: key.rindex(b"@")] if b"@" in key else key,
    "%d": lambda key: key[key.rindex(b"@") + 1 :] if b"@" in key else b"",
    "%h": lambda key: b"t(*)",
    "%%": lambda key: b"%",
}
keys = st.one_of(
    st.binary(max_size=12), st.text(alphabet="@*()\\%sa\0", max_size=6).map(str.encode)
)
literal = st.text(alphabet="ab =:~<>&|!\\()*\0é", min_size=1, max_size=4).map(
    lambda text: "".join(f"\\{ord(c):02x}" if c in "\\()*\0" else c for c in text)
)
piece = st.one_of(literal, st.sampled_from(list(PLACES)))
value = st.lists(piece, max_size=3)
name = st.sampled_from(["cn", "a-b", "cn;lang-de", "2.5.4.3", "x_y"])
item = st.one_of(
    st.tuples(name, st.sampled_from(["~=", ">=", "<=", ":=", ":dn:=", ":1.2:="]), value),
    st.tuples(name, st.just("="), st.lists(value, min_size=1, max_size=3)),
)
template = st.recursive(
    item,
    lambda inner: st.one_of(
        st.tuples(st.just("!"), inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: ("&", *each)),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: ("|", *each)),
    ),
    max_leaves=5,
)
"""A filter as data: values are lists of texts and places."""


def written(tree: FilterTree) -> str:
    """Return a template as one writes it into a file."""
    head, *rest = tree
    if head in ("!", "&", "|"):
        return f"({head}{''.join(map(written, rest))})"
    sign, given = rest
    parts = given if sign == "=" else [given]
    return f"({head}{sign}{'*'.join(map(''.join, parts))})"


def meant(tree: FilterTree, key: bytes) -> FilterTree:
    """Return a template with a key, as the judge should see it."""
    head, *rest = tree
    if head in ("!", "&", "|"):
        return (head, *[meant(each, key) for each in rest])
    sign, given = rest
    kind = str(head).encode()
    if sign != "=":
        filled = _filled(given, key)
        if sign in ("~=", ">=", "<="):
            return (kind, sign, filled)
        return (kind, sign == ":dn:=", b"1.2" if sign == ":1.2:=" else b"", ":=", filled)
    pieces = [each for part in given for each in part]
    parts = [_filled(part, key) for part in given]
    places = set(pieces) & {"%s", "%u", "%n", "%d"}
    if len(parts) > 1 and places and places == set(pieces) and not any(parts):
        return NEVER
    return (kind, "=", parts)


def _filled(pieces: list[str], key: bytes) -> bytes:
    return b"".join(
        PLACES[each](key) if each in PLACES else FilterJudge(to_bytes(f"(a={each})")).tree()[2][0]
        for each in pieces
    )


@given(template, keys)
def test_a_key_changes_values_alone(tree: FilterTree, key: bytes) -> None:
    filled = SearchFilter(written(tree)).fill(to_str(key), "t(*)")
    assert filled.isascii()
    assert FilterJudge(filled.encode()).tree() == meant(tree, key)


def is_one(text: str) -> bool:
    try:
        FilterJudge(to_bytes(text)).tree()
    except NoFilter:
        return False
    return True


@given(
    template.map(written), st.data(), st.sampled_from(["", *"()&|!=*\\~<>: \0%a1", "\\2", "(a=b)"])
)
def test_what_is_a_filter(text: str, data: st.DataObject, put: str) -> None:
    """A filter in which a few characters are replaced may be one, or none."""
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(begin + 2, len(text))))
    text = text[:begin] + put + text[end:]
    try:
        SearchFilter(text)
    except ValueError:
        assert not is_one(text)
    else:
        assert is_one(text)


@pytest.mark.parametrize(
    ("text", "key", "filled"),
    [
        ("(mail=*%d)", "bob", "(!(objectClass=*))"),
        ("(mail=*%d)", "bob@", "(!(objectClass=*))"),
        ("(mail=*%d)", "@x", "(mail=*x)"),
        ("(|(uid=%n)(mail=*%d))", "bob", "(|(uid=bob)(!(objectClass=*)))"),
        ("(uid=%s*)", "", "(!(objectClass=*))"),
        ("(uid=*%n*%d*)", "bob", "(uid=*bob**)"),
        ("(uid=*%n*%d*)", "@", "(!(objectClass=*))"),
        ("(mail=*@%d)", "bob", "(mail=*@)"),
        ("(mail=*)", "", "(mail=*)"),
    ],
)
def test_a_part_that_is_empty_is_no_wildcard(text: str, key: str, filled: str) -> None:
    """Otherwise a user without a domain would be found in all entries that have an address."""
    assert SearchFilter(text).fill(key) == filled
