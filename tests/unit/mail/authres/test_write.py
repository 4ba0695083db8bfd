"""The field that we write, whatever its values say."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opensmtpd.mail.authres import methods
from opensmtpd.mail.authres.read import read
from opensmtpd.mail.authres.write import Result, field_value
from unit.support.inbound_suites import inbound

HOSTILE = '"a; dmarc=pass header.from=bank.example"@evil.example'


def written(*results: Result, id: str = "mx.test") -> bytes:
    return b"\n".join(field_value(id, results))


def spf(sender: str, reason: str = "") -> Result:
    return methods.spf_mailfrom("pass", sender, reason)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], b"mx.test; none"),
        ([methods.dkim("none")], b"mx.test; dkim=none"),
        (
            [spf("bounce+u=example.net@a.example")],
            b"mx.test; spf=pass smtp.mailfrom=bounce+u=example.net@a.example",
        ),
        ([spf("postmaster")], b"mx.test; spf=pass smtp.mailfrom=postmaster"),
        ([spf("x@[192.0.2.1]")], b'mx.test; spf=pass smtp.mailfrom="x@[192.0.2.1]"'),
        # What would need an escape, or could be taken for another result.
        ([spf(HOSTILE)], b"mx.test; spf=pass smtp.mailfrom=evil.example"),
        ([spf("x+dmarc=pass@a.example")], b"mx.test; spf=pass smtp.mailfrom=a.example"),
        ([spf("a" * 400 + "@a.example")], b"mx.test; spf=pass smtp.mailfrom=a.example"),
        ([spf("jürgen@bücher.example")], b"mx.test; spf=pass smtp.mailfrom=xn--bcher-kva.example"),
        ([spf("j@bücher.example")], b"mx.test; spf=pass smtp.mailfrom=j@xn--bcher-kva.example"),
        ([spf("j@b\r\nX: y")], b"mx.test; spf=pass"),
        ([spf("j@b\udcff.example")], b"mx.test; spf=pass"),
        (
            [methods.spf_helo("none", "[IPv6:2001:db8::1]")],
            b'mx.test; spf=none smtp.helo="[IPv6:2001:db8::1]"',
        ),
        ([methods.spf_helo("none", "a;b")], b"mx.test; spf=none"),
        ([methods.spf_helo("none", "a(b")], b"mx.test; spf=none"),
        ([methods.dkim("pass", signature="ab/c+d==")], b'mx.test; dkim=pass header.b="ab/c+d=="'),
        ([methods.dkim("pass", selector="s" * 5000)], b"mx.test; dkim=pass"),
        (
            [methods.dmarc("pass", "bücher.example")],
            b"mx.test; dmarc=pass header.from=xn--bcher-kva.example",
        ),
        ([methods.auth("alice smith")], b'mx.test; auth=pass smtp.auth="alice smith"'),
        ([spf("", "bh mismatch")], b'mx.test; spf=pass reason="bh mismatch"'),
        ([spf("", 'a "b\\c"; (d)\r\n')], b"mx.test; spf=pass reason=\"a 'b/c', [d]??\""),
        ([spf("", "record has dmarc=PASS")], b"mx.test; spf=pass"),
    ],
)
def test_value(results: list[Result], expected: bytes) -> None:
    assert written(*results).replace(b"\n\t", b" ") == expected


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("mx.test", b"mx.test; none"),
        ("mx.bücher.example", b"mx.xn--bcher-kva.example; none"),
        ("my mail", b'"my mail"; none'),
        ('a"b\\', b'"a\\"b\\\\"; none'),
        ("a\r\nb", b'"a??b"; none'),
    ],
)
def test_our_own_id(id: str, expected: bytes) -> None:
    assert written(id=id) == expected


def test_the_form_of_arc() -> None:
    assert field_value("mx.test", [methods.arc("none")], 3) == [b"i=3; mx.test; arc=none"]


def test_lines_are_filled_up_to_78_columns() -> None:
    """The name of the field stands in front of the first one, and a tab counts as eight."""
    results = [Result("dkim", "pass", "", (("header.d", "a" * n),)) for n in (27, 28)]
    first = "mx.test; dkim=pass header.d=" + "a" * 27 + ";"
    assert len("Authentication-Results: " + first) == 80
    assert written(*results).startswith(b"mx.test; dkim=pass\n\theader.d=")
    fits = Result("dkim", "pass", "", (("header.d", "a" * 26),))
    assert written(fits) == b"mx.test; dkim=pass header.d=" + b"a" * 26


def expected_names(case: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((method, result) for method, result, _ in case["expect"])


def results_of(given: dict[str, Any]) -> list[Result]:
    """Return what the methods found, as the case tells it."""
    found = [
        methods.dkim(
            one["result"],
            selector=one["s"],
            domain=one["d"],
            algorithm="rsa-sha256",
            signature=one["b"],
        )
        for one in given.get("dkim", [])
    ]
    if given.get("dkim") == []:
        found.append(methods.dkim("none"))
    if "iprev" in given:
        found.append(methods.iprev(given["iprev"], given["address"]))
    if "spf" in given:
        spf = given["spf"] or "none"
        if "helo" in given:
            found.append(methods.spf_helo(spf, given["helo"]))
        else:
            found.append(
                methods.spf_mailfrom(spf, given.get("mailfrom", ""), given.get("reason", ""))
            )
    if "dmarc" in given:
        found.append(methods.dmarc(given["dmarc"], given["from"], given.get("policy", "")))
    if "auth" in given:
        found.append(methods.auth(given["user"]))
    return found


LEFT_OUT_OR_SHORTER = {
    "sender-quoted-semicolon": "evil.example",
    "sender-closes-comment": "evil.example",
    "sender-backslash": "evil.example",
    "sender-utf-8": "xn--bcher-kva.example",
    "helo-literal-4": "[192.0.2.1]",
    "helo-literal-6": "[IPv6:2001:db8::1]",
    "helo-odd": None,
    "reason-from-dns": None,
}
"""The value that we write where the case leaves it open; None for none."""


@pytest.mark.parametrize("case", inbound("authres.json", "outgoing"))
def test_published_case(case: dict[str, Any]) -> None:
    value = written(*results_of(case["given"]), id="mx.example.com")
    assert all(0 < len(line) < 998 for line in value.split(b"\n"))
    found = read(value)
    assert found is not None
    assert found.authserv_id == "mx.example.com"
    assert sorted((one.method, one.result) for one in found.results) == expected_names(case)
    if len(case["expect"]) == 1:
        properties = dict(found.results[0].properties)
        for name, meant in case["expect"][0][2].items():
            if (case["id"], name) != ("dkim-i-quoted", "header.i"):  # the C filter has no header.i
                assert properties.get(name) == LEFT_OUT_OR_SHORTER.get(case["id"], meant)


TEXT = st.text(max_size=40) | st.text('ab.@"\\;=() \r\n\x00ü', max_size=40) | st.just(HOSTILE)
NAMES = st.sampled_from(["smtp.mailfrom", "smtp.helo", "header.d", "header.b", "policy.iprev"])
RESULTS = st.lists(
    st.builds(
        Result,
        st.sampled_from(["spf", "dkim", "iprev"]),
        st.sampled_from(["pass", "fail", "none"]),
        TEXT | st.text("a ", max_size=300),
        st.lists(st.tuples(NAMES, TEXT | st.text("a.", max_size=400)), max_size=4).map(tuple),
    ),
    max_size=4,
)


@given(TEXT, RESULTS, st.none() | st.integers(1, 50))
@example("mx.test", [Result("spf", "pass", HOSTILE, (("smtp.mailfrom", HOSTILE),))], None)
def test_our_reader_reads_what_was_meant(id: str, results: list[Result], arc: int | None) -> None:
    lines = field_value(id or "x", results, arc)
    for line in lines:
        assert 0 < len(line) < 900
        assert line.replace(b"\t", b"").isascii()
        assert line.replace(b"\t", b"").decode().isprintable()
    assert all(line[:1] == b"\t" and line.strip() for line in lines[1:])
    assert arc is None or lines[0].startswith(b"i=%d;" % arc)
    value = b"\n".join(lines)
    found = read(value if arc is None else value.partition(b";")[2])
    assert found is not None
    assert [one[:2] for one in found.results] == [one[:2] for one in results]
    for one, meant in zip(found.results, results, strict=True):
        assert len(one.reason) in (0, len(meant.reason[:200]))
        left = iter(meant.properties)
        for name, text in one.properties:  # in their order, some left out
            assert any(name == each and text in spellings(name, given) for each, given in left)
    # Nor does a reader that knows no quotes find more.
    naive = written(*results).lower()
    assert naive.count(b"=pass") == sum(one.result == "pass" for one in results)
    assert naive.count(b";") == max(1, len(results))


def spellings(name: str, text: str) -> set[str]:
    """Return the forms in which a value may be written."""
    if text.isascii():
        return {text, text.rpartition("@")[2]} if name == "smtp.mailfrom" else {text}
    names = text.lower().rpartition("@")
    encoded = ".".join(
        each if each.isascii() else "xn--" + each.encode("punycode").decode()
        for each in names[2].split(".")
    )
    return {encoded, f"{text.rpartition('@')[0]}@{encoded}"}
