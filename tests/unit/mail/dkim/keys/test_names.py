"""Domains and selectors: errors, doubts, and what is said of each."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.names import check, doubts

WORDS = "use letters, digits, hyphens and dots (names in other scripts as xn--…)"

FAULTS = {
    "": f"; {WORDS}",
    "a.example.": ": a dot at its end; leave that dot out",
    ".": ": nothing between two dots; leave one of them out",
    "a.example..": ": nothing between two dots; leave one of them out",
    "a..b": ": nothing between two dots; leave one of them out",
    ".a": ": nothing between two dots; leave one of them out",
    "ann@a.example": ": an address; give what stands behind the @",
    "-a.example": f"; {WORDS}",
    "a-.example": f"; {WORDS}",
    "a b": f"; {WORDS}",
    "a;b": f"; {WORDS}",
    "a\tb": f"; {WORDS}",
    "a\nb": f"; {WORDS}",
    "a=b": f"; {WORDS}",
    "\udcfc.example": f"; {WORDS}",  # what is no UTF-8 on a command line
    "\u00fc b.example": f"; {WORDS}",
    "\u00fc..example": ": nothing between two dots; leave one of them out",
    "x" * 64: ": 64 bytes between two dots, of 63 at most; choose a shorter one",
    "a." + "x" * 64 + ".b": ": 64 bytes between two dots, of 63 at most; choose a shorter one",
    ".".join(["x" * 50] * 5): ": 254 bytes, of 253 at most; choose a shorter one",
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check("selector", name)
    assert str(caught.value) == f"{name!r} is no selector{FAULTS[name]}"


@pytest.mark.parametrize("name", FAULTS)
def test_a_word_of_a_file_is_not_repeated(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check("domain", name, "/etc/table", 3)
    assert str(caught.value) == f"/etc/table:3: not a domain{FAULTS[name]}"


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "a.example",
        "_a.b",
        "xn--4ca.example",
        "2026-01.mail",
        "a_b",
        "A" * 63,
        ".".join(["x" * 63] * 3 + ["y" * 61]),
    ],
)
def test_what_is_a_name(name: str) -> None:
    assert check("domain", name) == check("selector", name) == name


def test_a_name_in_another_script_becomes_an_a_label() -> None:
    assert check("domain", "B\u00fccher.example") == "xn--bcher-kva.example"
    with pytest.raises(ConfigError, match="of 63 at most; choose a shorter one"):
        check("domain", "\u00fc" + "\u4f8b" * 60)


@pytest.mark.parametrize(
    ("domain", "selector", "found"),
    [
        ("a.example", "mail", []),
        ("a.example", "mail.2026-01.eu", []),  # sub-domains: dots are right
        (
            "a.example",
            "my_mail",
            ["selector my_mail: RFC 6376 section 3.1 allows no underscore; choose another"],
        ),
        (
            "a.example",
            "Mail._domainkey",
            ["selector Mail._domainkey: verifiers add ._domainkey themselves; did you mean Mail?"],
        ),
        (
            "a.example",
            "mail._DomainKey.a.example",
            [
                "selector mail._DomainKey.a.example: verifiers add ._domainkey themselves;"
                " did you mean mail?"
            ],
        ),
        (
            "a_b.example",
            "mail",
            ["domain a_b.example: RFC 6376 section 3.5 allows no underscore; check the name"],
        ),
        (
            "localhost",
            "mail",
            ["domain localhost: RFC 6376 section 3.5 wants a dot in it; give the whole name"],
        ),
    ],
)
def test_doubts(domain: str, selector: str, found: list[str]) -> None:
    assert list(doubts(domain, selector)) == found
