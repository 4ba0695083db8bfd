"""Filters: what is one, and that nothing in a key means anything."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.backends.ldap.filters import NESTED_MAX, SearchFilter, escaped
from opensmtpd.table import to_bytes, to_str


@pytest.mark.parametrize(
    ("text", "key", "filled"),
    [
        ("(uid=%s)", "alice", "(uid=alice)"),
        ("(uid=%u)", "alice@example.org", "(uid=alice@example.org)"),
        ("(&(mail=%s)(uid=%n))", "a@b", "(&(mail=a@b)(uid=a))"),
        ("(dc=%d)", "a@b@example.org", "(dc=example.org)"),
        ("(uid=%n)", "a@b@example.org", "(uid=a@b)"),
        ("(uid=%n)", "alice", "(uid=alice)"),
        ("(uid=%n)", "@example.org", "(uid=)"),
        ("(dc=%d)", "alice", "(dc=)"),
        ("(mail=%s@example.org)", "alice", "(mail=alice@example.org)"),
        ("(cn=100%% %s)", "x", "(cn=100% x)"),
        ("(cn=%%s)", "x", "(cn=%s)"),
        ("(cn=%x%)", "x", "(cn=%x%)"),
        ("(cn=*%s*)", "x", "(cn=*x*)"),
        ("(cn=*)", "x", "(cn=*)"),
        ("(cn=)", "x", "(cn=)"),
        ("(!(cn=%s))", "x", "(!(cn=x))"),
        ("(|(a=%s)(&(b>=%s)(c<=1)(d~=%s)))", "x", "(|(a=x)(&(b>=x)(c<=1)(d~=x)))"),
        ("(cn:caseExactMatch:=%s)", "x", "(cn:caseExactMatch:=x)"),
        ("(:dn:2.4.6.8.10:=%s)", "x", "(:dn:2.4.6.8.10:=x)"),
        ("(cn;lang-de=%s)", "x", "(cn;lang-de=x)"),
        ("(2.5.4.3=%s)", "x", "(2.5.4.3=x)"),
        ("(cn=\\28%s\\29)", "x", "(cn=\\28x\\29)"),
        ("(cn=é%s)", "x", "(cn=\\c3\\a9x)"),
        ("(cn=\udcff)", "x", "(cn=\\ff)"),
        ("(cn=%s)", "", "(cn=)"),
    ],
)
def test_filters_with_a_key(text: str, key: str, filled: str) -> None:
    assert SearchFilter(text).fill(key) == filled


def test_the_name_of_the_table() -> None:
    assert SearchFilter("(&(ou=%h)(uid=%s))").fill("x", "us(er)s") == "(&(ou=us\\28er\\29s)(uid=x))"


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("alice+tag@example.org", "alice+tag@example.org"),
        ("*", "\\2a"),
        (")(uid=*", "\\29\\28uid\\3d\\2a"),
        ("a\\b", "a\\5cb"),
        ("a\0b", "a\\00b"),
        ("\"'", "\\22\\27"),
        ("%s", "\\25s"),
        ("é", "\\c3\\a9"),
        ("\udcff", "\\ff"),
        ("a b", "a b"),
    ],
)
def test_keys_are_literal(key: str, written: str) -> None:
    assert escaped(key) == written
    assert SearchFilter("(cn=%s)").fill(key) == f"(cn={written})"


def unescaped(written: str) -> bytes:
    """Return the value that a filter has, as RFC 4515 has it read."""
    return re.sub(rb"\\(..)", lambda found: bytes.fromhex(found[1].decode()), written.encode())


@given(st.binary().map(to_str))
def test_a_key_comes_out_as_it_was_and_as_one_value(key: str) -> None:
    written = escaped(key)
    assert re.fullmatch(r"(?:[A-Za-z0-9@._+ -]|\\[0-9a-f]{2})*", written)
    assert unescaped(written) == to_bytes(key)
    assert SearchFilter(SearchFilter("(&(a=%s)(b=*x%s*))").fill(key)).fill("x") == (
        f"(&(a={written})(b=*x{written}*))"
    )


@pytest.mark.parametrize(
    ("text", "keyed"),
    [
        ("(uid=%s)", True),
        ("(uid=%u)", True),
        ("(uid=%n)", True),
        ("(dc=%d)", True),
        ("(ou=%h)", False),
        ("(uid=%%s)", False),
        ("(uid=x)", False),
        ("(uid=\\25s)", False),
    ],
)
def test_which_filters_need_a_key(text: str, keyed: bool) -> None:
    assert SearchFilter(text).keyed is keyed


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "a filter begins with '(', and this does not: ''"),
        ("uid=%s", "a filter begins with '(', and this does not: 'uid=%s'"),
        ("(uid=%s", "no ')' at the end of the filter that begins with '(uid=%s'"),
        ("(uid=%s))", "something stands behind the filter: ')'"),
        ("(uid=%s)(cn=x)", "something stands behind the filter: '(cn=x)'"),
        ("()", "no attribute stands at ')'"),
        ("(&)", "a filter has to follow, and not ')'"),
        ("(!)", "a filter has to follow, and not ')'"),
        ("(!(a=b)(c=d))", "no ')' at the end of the filter that begins with '(!(a=b)(c=d))'"),
        ("(&(a=b)", "no ')' at the end of the filter that begins with '(&(a=b)'"),
        ("(& (a=b))", "a filter has to follow, and not ' (a=b))'"),
        ("(%s=x)", "no attribute stands at '%s=x)'"),
        ("(a%s=x)", "no comparison stands behind 'a'"),
        ("(a)", "no comparison stands behind 'a'"),
        ("(a=b(c)", "no ')' at the end of the filter that begins with '(a=b(c)'"),
        ("(a=\\)", "behind '\\' belong two hexadecimal digits: '\\\\)'"),
        ("(a=\\%s)", "behind '\\' belong two hexadecimal digits: '\\\\%s)'"),
        ("(a=\\2%s)", "behind '\\' belong two hexadecimal digits: '\\\\2%s)'"),
        ("(a>=b*)", "'*' has no meaning in 'b*'; write '\\2a'"),
        ("(a:=b*)", "'*' has no meaning in 'b*'; write '\\2a'"),
        ("(:=b)", "no attribute stands at ':=b)'"),
        ("(a=b\0)", "no ')' at the end of the filter that begins with '(a=b\\x00)'"),
    ],
)
def test_what_is_no_filter(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(fault)}$"):
        SearchFilter(text)


def test_filters_inside_each_other() -> None:
    deepest = NESTED_MAX - 1
    assert SearchFilter("(!" * deepest + "(a=%s)" + ")" * deepest).fill("x").count("(!") == deepest
    with pytest.raises(ValueError, match="more than 50 filters inside each other"):
        SearchFilter("(!" * NESTED_MAX + "(a=%s)" + ")" * NESTED_MAX)


@given(st.text(alphabet="()&|!=*\\%sna2:<>~ \0é", max_size=30))
def test_any_text_is_a_filter_or_a_fault(text: str) -> None:
    try:
        made = SearchFilter(text)
    except ValueError:
        return
    assert SearchFilter(made.fill("k").replace("%", "\\25")).fill("").isascii()
