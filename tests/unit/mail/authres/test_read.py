"""The reader: what the grammar allows, what is in the wild, and what is no field."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.authres.read import ITEMS_MAX, AuthResults, read, read_id
from opensmtpd.mail.authres.write import Result


def one(method: str, result: str, reason: str = "", **properties: str) -> AuthResults:
    pairs = tuple((name.replace("_", ".", 1), value) for name, value in properties.items())
    return AuthResults("a.example", (Result(method, result, reason, pairs),))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" a.example; none", AuthResults("a.example", ())),
        (b"a.example;none", AuthResults("a.example", ())),
        (b" a.example 12 (x); none (y)", AuthResults("a.example", (), 12)),
        (b' "a \\"b\\";"; none', AuthResults('a "b";', ())),
        (b" a.example; SPF=Pass", one("spf", "pass")),
        (b" a.example; spf=pass;", one("spf", "pass")),
        (b" a.example;;\n\tspf=pass", one("spf", "pass")),
        (b" a.example; spf/1=pass", one("spf", "pass")),
        (
            b" a.example; dkim = pass ( ) header . d = b.example",
            one("dkim", "pass", header_d="b.example"),
        ),
        (
            b' a.example; dkim=fail reason="bh; \\"mis\\"\n\tmatch" header.b="ab/c="',
            one("dkim", "fail", 'bh; "mis"\tmatch', header_b="ab/c="),
        ),
        (b" a.example; dkim=pass header.b=ab/c+d==", one("dkim", "pass", header_b="ab/c+d==")),
        (
            b" a.example; iprev=pass policy.iprev=2001:db8::1",
            one("iprev", "pass", policy_iprev="2001:db8::1"),
        ),
        (
            b" a.example; spf=pass smtp.mailfrom=@b.example",
            one("spf", "pass", smtp_mailfrom="@b.example"),
        ),
        (
            b" a.example; spf=pass smtp.mailfrom=x+y=z@b.example",
            one("spf", "pass", smtp_mailfrom="x+y=z@b.example"),
        ),
        (
            b' a.example; spf=pass smtp.mailfrom="a; dkim=pass"@b.example',
            one("spf", "pass", smtp_mailfrom='"a; dkim=pass"@b.example'),
        ),
        (
            b" a.example; spf=pass smtp.mailfrom=\xc3\xbc@b.example",
            one("spf", "pass", smtp_mailfrom="ü@b.example"),
        ),
        (
            b" a.example; spf=pass (a (b) \\) c) smtp.mailfrom=b.example (; dkim=pass)",
            one("spf", "pass", smtp_mailfrom="b.example"),
        ),
        (
            b" a.example; spf=pass smtp.mailfrom=<x@b.example>",
            one("spf", "pass", smtp_mailfrom="<x@b.example>"),
        ),
        # Microsoft's.
        (
            b" a.example 1; dmarc=pass (p=none sp=none pct=100) action=none header.from=b.example",
            one("dmarc", "pass", action="none", header_from="b.example"),
        ),
        # RFC 8601 appendix B.4, folded.
        (
            b" a.example;\n\tauth=pass (cram-md5) smtp.auth=sender@example.net;\n"
            b"\tspf=pass smtp.mailfrom=example.net",
            AuthResults(
                "a.example",
                (
                    Result("auth", "pass", "", (("smtp.auth", "sender@example.net"),)),
                    Result("spf", "pass", "", (("smtp.mailfrom", "example.net"),)),
                ),
            ),
        ),
    ],
)
def test_field(value: bytes, expected: AuthResults) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" a.example",
        b" a.example;",
        b" a.example; none; spf=pass",
        b" a.example; spf=pass; none",
        b" a.example; spf",
        b" a.example; spf=",
        b" a.example; spf=pass smtp.mailfrom",
        b" a.example; spf=pass smtp.mailfrom=",
        b" a.example; spf=pass smtp.mailfrom=x@y@b.example",
        b' a.example; spf=pass smtp.mailfrom="x',
        b" a.example; spf=pass (",
        b" a.example; spf=pass )",
        b" a.example; spf=pass\r",
        b" a b; spf=pass",
        b" spf=pass; dkim=pass",
        b"x;" + b"a=b;" * (ITEMS_MAX + 1),
        b"x;a=b" + b" a.b=c" * ITEMS_MAX,
        b"(" * 60_000,
        b"()" * 30_000 + b"x; none",
        b"x; none (a)) b",
        b"x;" + b"(" * 20_000 + b")" * 20_000,
        b'x;a=b reason="' + b"\\" * 60_000,
    ],
)
def test_not_readable(value: bytes) -> None:
    assert read(value) is None


def test_deep_comments_are_read() -> None:
    deep = b"(" * 20_000 + b"\\)" * 10 + b")" * 20_000
    assert read(b"%s x %s; none %s" % (deep, deep, deep)) == AuthResults("x", ())
    assert read(b"(a(b(c)))(d)x(e); none (((f)))") == AuthResults("x", ())


def test_the_id_alone() -> None:
    assert read_id(b" (x) a.example 1; what?") == "a.example"
    assert read_id(b" a.example") == "a.example"
    assert read_id(b" a.example b") is None


@given(st.binary(max_size=80) | st.text('ab1;=.@"\\() \n', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_not(value: bytes) -> None:
    found = read(value)
    if found is not None:
        assert read_id(value) == found.authserv_id
        assert all(each.method and each.result for each in found.results)


WORD = st.text("abz019-", min_size=1, max_size=6).filter(lambda word: word[0] not in "-019")
COMMENT = st.sampled_from(["", " ", " (c) ", " (a (b) \\) c) "])


@st.composite
def fields(draw: st.DrawFn) -> str:
    parts = [draw(COMMENT) + draw(WORD) + ".example" + draw(COMMENT)]
    for _ in range(draw(st.integers(1, 3))):
        text = f"{draw(COMMENT)} {draw(st.sampled_from(['spf', 'dkim']))}={draw(WORD)}"
        if draw(st.booleans()):
            text += f' reason="{draw(st.text("ab ;", min_size=1, max_size=5))}"'
        for n in range(draw(st.integers(0, 2))):
            value = draw(
                st.sampled_from(["b.example", "x@b.example", '"q; r"@b.example', "@b.example"])
            )
            text += f"{draw(COMMENT)} smtp.{draw(WORD)}{n}={value}"
        if draw(st.booleans()):  # authres loses one that is not the last
            text += ' smtp.last="q; r"'
        parts.append(text + draw(COMMENT))
    return ";".join(parts)


@given(fields())
def test_the_reader_agrees_with_another(field: str) -> None:
    """With authres, where that can read what the grammar allows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        authres = pytest.importorskip("authres")
    theirs = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + field)
    ours = read(field.encode())
    assert ours is not None
    assert ours.authserv_id == theirs.authserv_id
    assert [(one.method, one.result, one.reason) for one in ours.results] == [
        (one.method, one.result, one.reason or "") for one in theirs.results
    ]
    assert [[value for _, value in one.properties] for one in ours.results] == [
        [each.value for each in one.properties] for one in theirs.results
    ]
