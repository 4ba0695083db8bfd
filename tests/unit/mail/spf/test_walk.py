"""A walk with the replies so far: what it misses, and what of that it needs."""

from ipaddress import ip_address

import pytest

from opensmtpd.dns import Found, Question, RecordType
from opensmtpd.mail.spf.macros import MacroFacts
from opensmtpd.mail.spf.page import SpfPage
from opensmtpd.mail.spf.walk import RecordWalk, WalkOutcome
from unit.support.spf_zone import CLIENT, Zone

FACTS = MacroFacts(ip_address(CLIENT), "alice", "example.org", "mx.example.net", "unknown", 0)


def walk(records: dict[str, str]) -> tuple[WalkOutcome, list[str], int]:
    """Return what a walk finds and misses, and how much of it it needs."""
    taken = RecordWalk(FACTS, Zone(records), {})
    outcome = taken.check("example.org")
    return outcome, [f"{name} {kind}" for name, kind in taken.missing], taken.needed


def test_the_record_comes_first() -> None:
    assert walk({})[1:] == (["example.org TXT"], 0)


def test_the_first_term_that_waits_needs_its_questions() -> None:
    records = {
        "example.org TXT": "v=spf1 a:no.example mx a exists:x.example",
        "no.example A": "192.0.2.1",
        "example.org MX": "a.example b.example",
    }
    missing = ["a.example A", "b.example A", "example.org A", "x.example A"]
    assert walk(records)[1:] == (missing, 2)


def test_a_term_in_an_included_record_is_the_first_one() -> None:
    records = {
        "example.org TXT": "v=spf1 include:i.example a -all",
        "i.example TXT": "v=spf1 mx ptr",
    }
    missing = ["i.example MX", "7.2.0.192.in-addr.arpa PTR", "example.org A"]
    assert walk(records)[1:] == (missing, 1)


def test_nothing_is_asked_behind_a_term_that_matches() -> None:
    records = {
        "example.org TXT": "v=spf1 mx include:i.example ptr -all",
        "i.example TXT": "v=spf1 exists:x.example ip4:192.0.2.7",
    }
    assert walk(records)[1] == ["example.org MX", "x.example A"]


@pytest.mark.parametrize(
    "second", ["include:wrong.example", "include:none.example", "mx:many.example"]
)
def test_nothing_is_asked_behind_an_error(second: str) -> None:
    records = {
        "example.org TXT": f"v=spf1 mx {second} ptr -all",
        "wrong.example TXT": "v=spf1 moo",
        "none.example TXT": "x",
        "many.example MX": " ".join(["mx.example"] * 11),
    }
    outcome, missing, _ = walk(records)
    assert missing == ["example.org MX"]
    assert outcome.result == "permerror"


def test_what_the_eleventh_term_asks_is_not_asked() -> None:
    terms = " ".join(f"a:{number}.example" for number in range(20))
    outcome, missing, _ = walk({"example.org TXT": f"v=spf1 {terms}"})
    assert missing == [f"{number}.example A" for number in range(10)]
    assert outcome.reason == "more than 10 terms that ask the DNS"


def test_pages_are_read_once() -> None:
    pages: dict[str, SpfPage | ValueError | None] = {}
    known = Zone({"example.org TXT": "v=spf1 ip4:192.0.2.7"})
    first = RecordWalk(FACTS, known, pages).check("example.org")
    known[Question("example.org", RecordType.TXT)] = Found(("v=spf1 -all",))
    assert RecordWalk(FACTS, known, pages).check("example.org") == first


def test_an_explanation_has_the_names_of_its_record() -> None:
    known = Zone({"example.org TXT": "v=spf1 -all exp=e.%{d}", "e.example.org TXT": "%{l} at %{d}"})
    page = RecordWalk(FACTS, known, {}).check("example.org").page
    assert page is not None
    waiting = RecordWalk(FACTS, {}, {})
    assert waiting.explain(page) == ""
    assert list(waiting.missing) == [Question("e.example.org", RecordType.TXT)]
    assert RecordWalk(FACTS, known, {}).explain(page) == "alice at example.org"
