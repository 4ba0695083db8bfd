"""The domains of a From field, for fields that are plain, odd, and broken.

The last column of the table is what the C filter-dkimsign 0.5 makes of the same field, seen with
``-d first.example`` and the domain that is expected: ``SAME`` where it signs with the same domain,
``FIRST`` where it does not find it and signs as the first domain of its list, ``DIES`` where it
crashes.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.mailboxes import _domains, all_domains, first_domain

SAME, FIRST, DIES = "same", "first", "dies"

TABLE: list[tuple[bytes, bytes | None, str]] = [
    (b" a@example.com", b"example.com", SAME),
    (b"a@example.com", b"example.com", SAME),
    (b" <a@example.com>", b"example.com", SAME),
    (b" Ann Example <a@example.com>", b"example.com", SAME),
    (b' "Ann Example" <a@example.com>', b"example.com", SAME),
    (b' "Example, Ann" <a@example.com>', b"example.com", SAME),
    (b' "a@other.example" <a@example.com>', b"example.com", SAME),
    (b' "An\\"n" <a@example.com>', b"example.com", SAME),
    (b" =?utf-8?q?J=C3=BCrgen?= <j@example.com>", b"example.com", SAME),
    (b" Ann E. Xample <a@example.com>", b"example.com", SAME),
    (b" A@EXAMPLE.COM", b"example.com", SAME),
    (b' "quoted local"@example.com', b"example.com", SAME),
    (b' "quoted@local"@example.com', b"example.com", SAME),
    (b' Ann <"quoted local"@example.com>', b"example.com", SAME),
    (b" a@example.com, b@other.example", b"example.com", SAME),
    (b" Ann <a@example.com>, b@other.example", b"example.com", SAME),
    (b" ,, a@example.com", b"example.com", SAME),
    (b" Ann\n <a@example.com>", b"example.com", SAME),
    (b"\n\tAnn Example\n\t<a@example.com>", b"example.com", SAME),
    (b" (Ann) <a@example.com>", b"example.com", SAME),
    (b" Ann (a (nested) comment) <a@example.com>", b"example.com", SAME),
    (b" Ann (a \\) b) <a@example.com>", b"example.com", SAME),
    (b" Ann <a@example.com> (comment)", b"example.com", SAME),
    (b" a@example.com.", b"example.com", SAME),
    # The C filter takes white space and comments behind the domain for a part of it.
    (b" a@example.com ", b"example.com", FIRST),
    (b" a@example.com (Ann)", b"example.com", FIRST),
    (b" <a@example.com >", b"example.com", FIRST),
    (b" <a@example.com(c)>", b"example.com", FIRST),
    (b" a@ example.com", b"example.com", FIRST),
    (b" a@example . com", b"example.com", FIRST),
    (b" a@example.com\v", b"example.com", SAME),
    (b" <a@\fexample.com\r>", b"example.com", FIRST),
    (b" a@example.com , b@other.example", b"example.com", FIRST),
    # The routes of old (RFC 5322 section 4.4): the C filter crashes, and smtpd stops with it.
    (b" <@relay.example:a@example.com>", b"example.com", DIES),
    (b" <@relay.example,@other.example:a@example.com>", b"example.com", DIES),
    # Groups (RFC 6854), 8-bit names (RFC 6532), and names that should have been quoted.
    (b" Friends: Ann <a@example.com>, b@other.example;", b"example.com", FIRST),
    (b" J\xc3\xbcrgen <j@example.com>", b"example.com", FIRST),
    (b" J\xfcrgen <j@example.com>", b"example.com", FIRST),
    (b" a@other.example <a@example.com>", b"example.com", FIRST),
    (b" Ann [work] <a@example.com>", b"example.com", FIRST),
    (b" a@[192.0.2.1]", b"[192.0.2.1]", FIRST),
    (b" \xc3\xbc@\xc3\xbc.example", b"xn--tda.example", FIRST),
    (b" <j@B\xc3\x9cCHER.example>", b"xn--bcher-kva.example", FIRST),
    (b" <j@bu\xcc\x88cher.example>", b"xn--bcher-kva.example", FIRST),
    (b" J <j@mail.b\xc3\xbccher.example.>", b"mail.xn--bcher-kva.example", FIRST),
    (b" J <j@XN--BCHER-KVA.example>", b"xn--bcher-kva.example", SAME),
    # Nothing that could be signed for.
    (b"", None, FIRST),
    (b" ", None, FIRST),
    (b" root", None, FIRST),
    (b" <>", None, FIRST),
    (b" <root>", None, FIRST),
    (b" a@", None, FIRST),
    (b" @example.com", None, FIRST),
    (b" a@example.com b@example.com", None, FIRST),
    (b" a@b@example.com", None, FIRST),
    (b" a@example..com", None, FIRST),
    (b" Ann <a@example.com", None, FIRST),
    (b" Ann <<a@example.com>", None, FIRST),
    (b" a@exam ple.com", None, FIRST),
    (b" Undisclosed:;", None, FIRST),
    (b" root, a@example.com", None, FIRST),
    (b" a>example.com", None, FIRST),
    (b" \xfc@\xfc.example", None, FIRST),  # not UTF-8
    (b" a@" + b"\xc3\xbc" * 130, None, FIRST),
]


@pytest.mark.parametrize(("value", "expected", "c"), TABLE)
def test_domain(value: bytes, expected: bytes | None, c: str) -> None:
    assert first_domain(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b" " * 65_000,
        b" " * 65_000 + b"<",
        b'"' * 65_001,
        b'"' + b"\\" * 65_000,
        b"(" * 65_000,
        b"[" * 65_000,
        b"\\a" * 32_000 + b"@",
        b"a@" * 32_000,
        b"<" * 65_000,
        b"a." * 32_000 + b"@" + b"a." * 100 + b".",
        b"," * 65_000,
        b"a@" + b"b.." * 20_000,
        b"a@" + b"\xc3\xbc" * 30_000,
    ],
    ids=lambda value: repr(value[:3]),
)
def test_hostile_fields_take_linear_time(value: bytes) -> None:
    """No clock decides: a quadratic reader would take minutes for these."""
    assert first_domain(value) is None


ALL: list[tuple[bytes, list[bytes | None]]] = [
    (b" Ann <a@example.com>", [b"example.com"]),
    (b" Ann <a@example.com>, b@Other.example", [b"example.com", b"other.example"]),
    (b" a@example.com, , b@example.com,", [b"example.com", b"example.com"]),
    (b" (a@b, c@d) a@example.com (e@f)", [b"example.com"]),
    (b' "a@b, c@d" <a@example.com>', [b"example.com"]),
    (b' "x <a@junk.example>"@example.com', [b"example.com"]),
    (b" Friends: Ann <a@example.com>, b@other.example;", [b"example.com", b"other.example"]),
    (b" A: a@example.com;, B: <b@other.example>;", [b"example.com", b"other.example"]),
    (b" <@relay.example,@other.example:a@example.com>", [b"example.com"]),
    (b" Undisclosed:;", []),
    (b"", []),
    (b" root, a@example.com", [None, b"example.com"]),
    (b" a@example.com, root", [b"example.com", None]),
    (b" <a@example.com> <b@other.example>", [b"example.com", b"other.example"]),
    (b" <a@example.com> b@other.example", [b"example.com", b"other.example"]),
    (b" <a@example.com> b", [b"example.com", None]),
    (b" a@example.com, <b@other.example", [b"example.com", None]),
    (b" <a@example.com>, <<b@other.example>, c@example.com", [b"example.com", None]),
    (b" a@\xc3\xbc.example, b@[192.0.2.1]", [b"xn--tda.example", b"[192.0.2.1]"]),
]


@pytest.mark.parametrize(("value", "expected"), ALL)
def test_all_domains(value: bytes, expected: list[bytes | None]) -> None:
    assert all_domains(value) == expected


@given(st.text('ab.@<>()", \\:;[]\n\u00fc', max_size=24))
def test_the_quick_way_says_what_the_reader_says(text: str) -> None:
    value = text.encode("latin-1").replace(b"\n", b"\n ")
    quick = first_domain(value)
    every = list(_domains(value))
    assert quick == (every[0] if every else None)
    assert all_domains(value) == every
    for domain in every:
        if domain is not None:
            assert domain.isascii()
            assert domain == domain.lower()
            assert b"@" not in domain
            assert b" " not in domain
