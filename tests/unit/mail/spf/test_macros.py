"""Macros: RFC 7208 section 7, with its examples (7.4)."""

import time
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.dns.names import NAME_MAX
from opensmtpd.mail.spf.macros import (
    IN_EXPLANATIONS,
    TEXT_MAX,
    Macro,
    MacroFacts,
    MacroString,
    asks,
    lowered,
    name_of,
    parse,
    text_of,
    values,
)

FACTS = MacroFacts(
    ip_address("192.0.2.3"),
    "strong-bad",
    "email.example.com",
    "mx.example.net",
    "mx.example.org",
    1_700_000_000,
)
IPV6 = FACTS._replace(address=ip_address("2001:db8::cb01"))


def expanded(text: str, facts: MacroFacts = FACTS) -> str:
    string = parse(text, IN_EXPLANATIONS)
    return text_of(string, values(facts, "email.example.com", "mx.example.com"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
    ],
)
def test_examples_of_the_rfc(text: str, expected: str) -> None:
    assert expanded(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%{h} %{c} %{r} %{t}", "mx.example.net 192.0.2.3 mx.example.org 1700000000"),
        ("%{p}", "mx.example.com"),
        ("100%% %_%-", "100%  %20"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%{Lr-}", "bad.strong"),
        ("%{l255}%{l1000}%{l99999999999999999999}", "strong-bad" * 3),
        ("%{l002-}", "strong.bad"),
        ("%{s-.,}", "strong.bad@email.example.com"),
        ("%{sr-.}", "com.example.bad@email.strong"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expanded(text) == expected


def test_an_ipv6_address_is_nibbles_in_names_and_short_for_readers() -> None:
    nibbles = "1.0.B.C" + ".0" * 20 + ".8.B.D.0.1.0.0.2"
    assert expanded("%{ir}.%{v}", IPV6) == nibbles + ".ip6"
    assert expanded("%{c}", IPV6) == "2001:db8::cb01"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("%", "a % that begins no macro"),
        ("a%b", "a % that begins no macro"),
        ("%{d", "a % that begins no macro"),
        ("%{}", "a % that begins no macro"),
        ("%{d2", "a % that begins no macro"),
        ("%{rd}", "a % that begins no macro"),
        ("%{dr2}", "a % that begins no macro"),
        ("%{d:}", "a % that begins no macro"),
        ("%{d٣}", "a % that begins no macro"),
        ("%{d0}", "a macro of 0 parts"),
        ("%{d000r}", "a macro of 0 parts"),
        ("%{x}", "no macro %{x} here"),
        ("%{c}", "no macro %{c} here"),
        ("%{R}", "no macro %{R} here"),
    ],
)
def test_errors(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^" + reason.replace("{", r"\{") + "$"):
        parse(text)


def test_parts_of_a_string() -> None:
    assert parse("a.%{L2r+-}%%b") == ("a.", Macro("l", True, 2, True, "+-"), "%", "b")


def name(text: str, facts: MacroFacts = FACTS) -> str:
    return name_of(parse(text), values(facts, "Example.org", "unknown"))


def test_names_are_lower_case_without_a_final_dot() -> None:
    assert name("A.%{d}.") == "a.example.org"
    assert name("%{l}.x", FACTS._replace(local="\xc4B")) == "\xc4b.x"  # an octet, no letter
    assert lowered("\xc4B") == "\xc4b"


def test_a_long_name_loses_labels_on_its_left() -> None:
    label = "x" * 59 + "."
    assert name(f"first.{label * 4}y{label}example.org") == f"{label * 3}y{label}example.org"
    fits = "a" * 13 + "." + (label * 4).removesuffix(".")
    assert len(fits) == NAME_MAX
    assert name(fits) == name(fits + ".") == name("b." + fits) == fits
    assert name("b" + fits) == (label * 4).removesuffix(".")
    assert name("x" * 254) == ""
    assert name("x" * 300 + "." + "y" * 253) == "y" * 253


def test_whether_the_client_has_to_be_asked_for() -> None:
    assert [asks(parse(text)) for text in ("%{p}", "a.%{P2}.b", "p", "%{d}")] == [
        True,
        True,
        False,
        False,
    ]


strings = st.lists(
    st.sampled_from(
        ["a", ".", "%%", "%_", "%{d}", "%{l1r-}", "%{S}", "%{ir}", "%{p2r.-}", "x" * 63]
    )
).map("".join)


@given(strings, st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_name_is_bounded_and_the_end_of_the_text(text: str, local: str) -> None:
    string, facts = parse(text), FACTS._replace(local=local)
    value = values(facts, "example.org", "unknown")
    whole = "".join(
        part if isinstance(part, str) else part.of(value(part.letter)) for part in string
    )
    found = name_of(string, value)
    assert len(found) <= NAME_MAX
    assert lowered(whole).removesuffix(".").endswith(found)
    assert found == lowered(whole).removesuffix(".") or len(whole) > NAME_MAX


@given(st.text(alphabet="%{}slodipvhrR019.-+,/_=x", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(ValueError):
        parse(text)


def cpu(string: str, facts: MacroFacts) -> float:
    start = time.process_time()
    parsed: MacroString = parse(string)
    name_of(parsed, values(facts, "example.org", "unknown"))
    text_of(parsed, values(facts, "example.org", "unknown"))
    return time.process_time() - start


@pytest.mark.parametrize("local", ["x" * 255, "-" * 255, ""])
@pytest.mark.parametrize("macro", ["%{l}", "%{l1-}", "%{S99r-.+,/_=}", "%{h}"])
def test_macros_without_end_cost_little(macro: str, local: str) -> None:
    facts = FACTS._replace(local=local, helo="")
    assert cpu(macro * (60_000 // len(macro)), facts) < 1.0


@pytest.mark.parametrize("text", ["%{" + "d" * 60_000, "%{d" + "1" * 60_000, "%{d" + "-" * 60_000])
def test_a_macro_without_end_costs_little(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match="begins no macro"):
        parse(text)
    assert time.process_time() - start < 0.1


def test_a_text_ends_where_it_is_long_enough() -> None:
    taken: list[str] = []

    def value(letter: str) -> str:
        taken.append(letter)
        return "x" * 50

    string = tuple(Macro("l", False, parts, False, ".") for parts in range(10_000))
    assert TEXT_MAX <= len(text_of(string, value)) <= TEXT_MAX + 100
    assert len(taken) == 9


def test_a_macro_is_expanded_once() -> None:
    taken: list[str] = []
    string = (Macro("l", False, 0, False, "."),) * 3

    def value(letter: str) -> str:
        taken.append(letter)
        return letter

    assert text_of(string, value) == "lll"
    assert taken == ["l"]
