"""The tree walk, on plain replies."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.dmarc import walk as walk_module
from opensmtpd.mail.dmarc.record import Record
from opensmtpd.mail.dmarc.walk import (
    OnlyRecord,
    Walk,
    follow,
    names,
    only_record,
    question,
    questions,
)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("com", ["com"]),
        ("mail.example.com", ["mail.example.com", "example.com", "com"]),
        # The example of RFC 9989 section 4.10.
        (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            [
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "g.h.i.j.mail.example.com",
                "h.i.j.mail.example.com",
                "i.j.mail.example.com",
                "j.mail.example.com",
                "mail.example.com",
                "example.com",
                "com",
            ],
        ),
    ],
)
def test_names(domain: str, expected: list[str]) -> None:
    assert names(domain) == expected


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=120))
def test_eight_names_at_most_each_above_the_last(labels: list[str]) -> None:
    found = names(".".join(labels))
    assert len(found) == min(8, len(labels))
    assert all(one.endswith("." + other) for one, other in pairwise(found))


def test_questions_are_about_names_that_the_dns_can_have() -> None:
    assert questions(["example.com", "x" * 64 + ".com", "a..b", "!.com"]) == [
        Question("_dmarc.example.com", RecordType.TXT),
        Question("_dmarc.!.com", RecordType.TXT),
    ]
    assert question("x" * 64) is None


def walk(domain: str, **records: Record | None) -> Walk:
    """Walk through records by the names of their tops, ``None`` for no answer."""
    found: dict[Question, OnlyRecord] = {}
    for name in names(domain):
        asked = question(name)
        assert asked is not None
        record = records.get(name.replace(".", "_"), Record("absent"))
        text = f"v=DMARC1; p={record.p}; psd={record.psd}" if record else ""
        there = record is not None and record.p != "absent"
        found[asked] = (
            only_record(Found((text,)) if there else Absent()) if record else Failed("late")
        )
    return follow(names(domain), found)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({}, "a.b.example.com"),
        ({"com": Record("none", psd="y")}, "example.com"),
        ({"com": Record("none")}, "com"),
        ({"example_com": Record("none"), "a_b_example_com": Record("none")}, "example.com"),
        (
            {"example_com": Record("none"), "b_example_com": Record("none", psd="n")},
            "b.example.com",
        ),
        ({"a_b_example_com": Record("none", psd="y")}, "a.b.example.com"),
        ({"b_example_com": Record("none", psd="y")}, "a.b.example.com"),
        ({"b_example_com": Record("wrong")}, "a.b.example.com"),
        ({"b_example_com": None}, None),
        ({"b_example_com": Record("none", psd="n"), "example_com": None}, "b.example.com"),
    ],
)
def test_organizational_domain(records: dict[str, Record | None], expected: str | None) -> None:
    assert walk("a.b.example.com", **records).organizational() == expected


def test_a_broken_walk_keeps_what_it_found() -> None:
    found = walk("a.b.example.com", a_b_example_com=Record("reject"), com=None)
    assert list(found.records) == ["a.b.example.com"]
    assert found.broken


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Found(("v=DMARC1; p=none", "v=spf1 -all", "x")), Record("none")),
        (Found(("v=DMARC1; p=none", "v=DMARC1; p=none")), None),
        (Found((" V = DMARC1 ;p=none", "v=DMARC10; p=none", "v=dmarc1")), Record("none")),
        (Found(("x",)), None),
        (Absent(), None),
        (Failed("timeout"), Failed("timeout")),
    ],
)
def test_only_record(reply: Reply, expected: OnlyRecord) -> None:
    assert only_record(reply) == expected


def test_few_of_many_records_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(walk_module, "parse", parsed.append)
    assert only_record(Found(tuple(f"v=spf1 {n}" for n in range(4000)))) is None
    assert only_record(Found(tuple(f"v=DMARC1; p=none; x={n}" for n in range(4000)))) is None
    assert parsed == []
