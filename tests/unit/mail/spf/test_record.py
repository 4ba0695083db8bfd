"""Which TXT record is an SPF record, and what its terms are."""

import time
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.spf.macros import Macro
from opensmtpd.mail.spf.record import Mechanism, SpfRecord, explanation, parse, select


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["v=spf1 -all"], "v=spf1 -all"),
        (["V=sPf1"], "V=sPf1"),
        (["v=spf1-all", "v=spf10", " v=spf1", "v=spf1\t-all", ""], None),
        (["x", "v=spf1 a", "spf2.0/pra"], "v=spf1 a"),
        ([], None),
    ],
)
def test_selection(texts: list[str], expected: str | None) -> None:
    assert select(texts) == expected


def test_two_records_are_an_error_even_where_they_are_equal() -> None:
    with pytest.raises(ValueError, match=r"^more than one SPF record$"):
        select(["v=spf1 -all", "v=spf1 -all"])


def test_a_record() -> None:
    text = "v=spf1  a +MX:Example.org/24//64 ?ip4:192.0.2.0/25 -all redirect=%{d2}.example exp=e.x "
    assert parse(text) == SpfRecord(
        (
            Mechanism("a", "a", "pass"),
            Mechanism("+MX:Example.org/24//64", "mx", "pass", ("Example.org",), 0, 24, 64),
            Mechanism(
                "?ip4:192.0.2.0/25", "ip4", "neutral", (), int(ip_address("192.0.2.0")), 25, 25
            ),
            Mechanism("-all", "all", "fail"),
        ),
        (Macro("d", False, 2, False, "."), ".example"),
        ("e.x",),
    )


@pytest.mark.parametrize(
    ("term", "name", "target", "ip4", "ip6"),
    [
        ("a/0", "a", (), 0, 128),
        ("a//0", "a", (), 32, 0),
        ("~a/32//128", "a", (), 32, 128),
        ("mx:a.b/c.de/8", "mx", ("a.b/c.de",), 8, 128),
        ("a:x.%{d}/24", "a", ("x.", Macro("d", False, 0, False, ".")), 24, 128),
        ("a:%{d}//24", "a", (Macro("d", False, 0, False, "."),), 32, 24),
        ("a:x%%", "a", ("x", "%"), 32, 128),
        ("ptr", "ptr", (), 32, 128),
        ("ptr:a.b", "ptr", ("a.b",), 32, 128),
        ("exists:a..b:c.xn--p1ai.", "exists", ("a..b:c.xn--p1ai.",), 32, 128),
        ("include:a.1-2", "include", ("a.1-2",), 32, 128),
    ],
)
def test_targets_and_prefixes(
    term: str, name: str, target: tuple[object, ...], ip4: int, ip6: int
) -> None:
    [mechanism] = parse(f"v=spf1 {term}").mechanisms
    assert mechanism[1] == name
    assert mechanism[3:] == (target, 0, ip4, ip6)


@pytest.mark.parametrize(
    ("term", "reason"),
    [
        ("moo", "no such mechanism"),
        ("al", "no such mechanism"),
        ("all.", "no such mechanism"),
        ("--all", "no such mechanism"),
        ("redirect:a.b", "no such mechanism"),
        ("1x=y", "no such mechanism"),
        ("all:a.b", "nothing of this kind may follow the mechanism"),
        ("all/8", "nothing of this kind may follow the mechanism"),
        ("ptr/8", "nothing of this kind may follow the mechanism"),
        ("a/", "nothing of this kind may follow the mechanism"),
        ("a/b", "nothing of this kind may follow the mechanism"),
        ("a/24/32", "nothing of this kind may follow the mechanism"),
        ("include", "no domain"),
        ("exists", "no domain"),
        ("a:", "no domain"),
        ("exp=", "no domain"),
        ("redirect=", "no domain"),
        ("a:museum", "the domain does not end in a top label"),
        ("a:museum.", "the domain does not end in a top label"),
        ("a:a.123", "the domain does not end in a top label"),
        ("a:a.b-", "the domain does not end in a top label"),
        ("a:a.-b", "the domain does not end in a top label"),
        ("a:a.b_c", "the domain does not end in a top label"),
        ("a:a..", "the domain does not end in a top label"),
        ("a:%{d}com", "the domain does not end in a top label"),
        ("exists:a.b/24", "the domain does not end in a top label"),
        ("a:a.b//", "the domain does not end in a top label"),
        ("a:a.b/024", "no length of a prefix from 0 to 32"),
        ("a/33", "no length of a prefix from 0 to 32"),
        ("a/24/64", "no length of a prefix from 0 to 32"),
        ("a/00", "no length of a prefix from 0 to 32"),
        ("a//129", "no length of a prefix from 0 to 128"),
        ("a/" + "1" * 5000, "no length of a prefix from 0 to 32"),
        ("ip4:192.0.2.0/33", "no length of a prefix from 0 to 32"),
        ("ip4:192.0.2.0/", "no length of a prefix from 0 to 32"),
        ("ip6:::/x", "no length of a prefix from 0 to 128"),
        ("ip4", "no address"),
        ("ip4:", "no address"),
        ("ip4/24", "no address"),
        ("ip4:192.0.2", "no address"),
        ("ip4:192.0.2.01", "no address"),
        ("ip4:192.0.2.1:25", "no address"),
        ("ip4:::1", "no address"),
        ("ip6:192.0.2.1", "no address"),
        ("ip6:fe80::1%eth0", "no address"),
        ("a:%{c}", "no macro %{c} here"),
        ("x=%", "a % that begins no macro"),
    ],
)
def test_errors(term: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^.*$") as caught:
        parse(f"v=spf1 +all {term}")
    assert str(caught.value) == f"{term}: {reason}"


@pytest.mark.parametrize("name", ["exp", "redirect", "EXP"])
def test_a_modifier_that_is_there_twice(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}=c.d: the modifier is there twice$"):
        parse(f"v=spf1 {name.lower()}=a.b {name}=c.d")


def test_unknown_modifiers_mean_nothing() -> None:
    assert parse("v=spf1 x=y a.b-c_9=%{d}/x all x=z x=").mechanisms == (
        Mechanism("all", "all", "pass"),
    )


@pytest.mark.parametrize("char", ["\0", "\t", "\r", "\n", "\x7f", "\x80", "\xe4"])
def test_characters_that_are_not_printable_ascii(char: str) -> None:
    for text in (f"v=spf1 {char}all", f"v=spf1 x={char}", f"v=spf1 all{char}"):
        with pytest.raises(ValueError, match=r"^a character that is not printable ASCII$"):
            parse(text)
    with pytest.raises(ValueError, match=r"^a character that is not printable ASCII$"):
        explanation(f"See {char}")


def test_an_explanation_may_have_blanks_and_more_macros() -> None:
    assert explanation("See %{c} at") == ("See ", Macro("c", False, 0, False, "."), " at")
    with pytest.raises(ValueError, match="no macro"):
        explanation("%{x}")


TERMS = ["a", "mx", "all", "include", "ip4", "ip6", "exists", "ptr", "redirect", "exp", "-", "+"]
TERMS += [
    ":",
    "/",
    "//",
    "=",
    "%",
    "%{d}",
    "%{",
    "}",
    ".",
    "24",
    "0",
    "192.0.2.1",
    "::",
    "x.y",
    " ",
]


@given(st.lists(st.sampled_from(TERMS), max_size=12).map("".join))
def test_any_record_is_parsed_or_refused(text: str) -> None:
    with suppress(ValueError):
        record = parse("v=spf1 " + text)
        assert all(mechanism.text in text for mechanism in record.mechanisms)


LONG = {
    "addresses": "ip4:192.0.2.1 " * 4_300,
    "wrong at the end": "ip4:192.0.2.1 " * 4_300 + "x",
    "hosts": "a:a.example " * 5_000,
    "modifiers": "x=y " * 15_000,
    "slashes": "a" + "/" * 60_000,
    "digits": "a/" + "1" * 60_000,
    "a label": "a:a." + "b" * 60_000,
    "hyphens": "a:a." + "-" * 60_000,
    "labels": "a:" + "a." * 30_000 + "b",
    "colons": "ip6:" + ":" * 60_000,
    "a name": "x" * 60_000,
    "macros": "exists:" + "%{d1r.-}" * 7_500,
    "blanks": " " * 60_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_long_record_costs_little(text: str) -> None:
    start = time.process_time()
    with suppress(ValueError):
        parse("v=spf1 " + text)
    assert time.process_time() - start < 1.0
