"""The judgement: published cases, and what they leave open."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dmarc import walk
from opensmtpd.mail.dmarc.author import Authors, authors
from opensmtpd.mail.dmarc.policy import SIGNATURES_MAX, DmarcResult, evaluate, prefetch
from unit.support.dmarc_zone import Dkim, Spf, judged, run
from unit.support.inbound_suites import inbound

REJECT = "v=DMARC1; p=reject"


def header(case: dict[str, Any]) -> bytes:
    fields = [f"From: {value}".replace("\r\n", "\n") for value in case["from"]]
    return "".join(f"\n{field}" for field in fields).encode()


def fits(found: DmarcResult, expected: dict[str, str]) -> bool:
    return all(getattr(found, name) == value for name, value in expected.items())


@pytest.mark.parametrize("case", inbound("dmarc.json", "cases"))
def test_published_case(case: dict[str, Any]) -> None:
    spf = Spf(case["spf"]["mailfrom"], case["spf"].get("domain", ""))
    dkim = [Dkim(one["result"], one["domain"]) for one in case["dkim"]]
    found, rounds = run(evaluate(authors(header(case)), spf, dkim), case["zone"])
    assert any(fits(found, each) for each in [case["expect"], *case.get("accept", [])]), found
    assert len(rounds) <= 2
    if "asks" in case:  # all names in one round, so those beyond the end of the walk, too
        asked = {each.name for each in rounds[0] if each.name.startswith("_dmarc.")}
        assert set(case["asks"]) <= asked
        assert asked == {f"_dmarc.{name}" for name in walk.names(found.domain)}


def test_the_published_cases_are_there() -> None:
    if not (cases := inbound("dmarc.json", "cases")):
        pytest.skip("no suites; OPENSMTPD_PLUGINS_SUITES names another folder")
    assert len(cases) == 115


def test_all_that_a_result_tells() -> None:
    found = judged(
        "mail.example.com",
        {"_dmarc.example.com": "v=DMARC1; p=none; sp=reject; t=y; rua=mailto:r@example.com"},
        Dkim("pass", "other.example"),
        spf=Spf("pass", "example.net"),
    )
    assert found.record is not None
    assert found.record.rua == ("mailto:r@example.com",)
    assert found == DmarcResult(
        result="fail",
        domain="mail.example.com",
        policy_domain="example.com",
        record=found.record,
        policy="reject",
        disposition="quarantine",
        org_domain="example.com",
    )


def test_which_check_is_aligned_is_told() -> None:
    zone: dict[str, str | list[str]] = {"_dmarc.example.com": REJECT}
    ours, foreign = Dkim("pass", "k.example.com"), Dkim("pass", "k.example.net")
    found = judged("example.com", zone, foreign, ours, spf=Spf("pass", "example.net"))
    assert (found.result, found.dkim_aligned, found.spf_aligned) == ("pass", True, False)
    found = judged("example.com", zone, foreign, spf=Spf("pass", "example.com"))
    assert (found.result, found.dkim_aligned, found.spf_aligned) == ("pass", False, True)


def test_a_signature_of_a_part_of_the_body_does_not_speak_for_the_author() -> None:
    partial = Dkim("pass", "example.com", partial=True)
    assert judged("example.com", {"_dmarc.example.com": REJECT}, partial).result == "fail"


@pytest.mark.parametrize(
    ("dkim", "expected"),
    [
        ([], "fail"),  # nobody needs the organizational domain
        ([Dkim("pass", "mail.example.com")], "pass"),
        ([Dkim("pass", "example.com")], "temperror"),
        ([Dkim("pass", "elsewhere.com")], "temperror"),  # com may have a record
        ([Dkim("pass", "example.net")], "fail"),
    ],
)
def test_no_answer_about_a_parent(dkim: list[Dkim], expected: str) -> None:
    zone: dict[str, str | list[str]] = {
        "_dmarc.mail.example.com": REJECT,
        "_dmarc.example.com": "SERVFAIL",
    }
    found = judged("mail.example.com", zone, *dkim)
    assert found.result == expected
    assert found.disposition == ("reject" if expected == "fail" else "none")


def test_no_answer_beyond_the_end_of_the_walk_does_not_matter() -> None:
    zone: dict[str, str | list[str]] = {
        "_dmarc.mail.example.com": REJECT + "; psd=n",
        "_dmarc.example.com": "SERVFAIL",
    }
    found = judged("mail.example.com", zone, Dkim("pass", "k.mail.example.com"))
    assert found.result == "pass"
    assert judged("mail.example.com", zone, Dkim("pass", "example.com")).result == "fail"


def test_a_check_without_an_answer_matters_where_it_could_align() -> None:
    zone: dict[str, str | list[str]] = {"_dmarc.example.com": REJECT}
    assert judged("example.com", zone, Dkim("temperror", "k.example.com")).result == "temperror"
    assert judged("example.com", zone, Dkim("temperror", "example.net")).result == "fail"
    assert judged("example.com", zone, spf=Spf("temperror", "example.com")).result == "temperror"


def test_a_domain_under_an_organization_of_one_label_may_align() -> None:
    """Its names are asked for in a second round: hardly anybody needs them."""
    zone = {"_dmarc.tld": {"TXT": [REJECT]}}
    found, rounds = run(
        evaluate(Authors(("shop.tld",)), Spf("pass", "other.tld"), [Dkim("pass", "k.esp.test")]),
        zone,
    )
    assert (found.result, found.org_domain) == ("pass", "tld")
    assert [[each.name for each in asked] for asked in rounds] == [
        ["_dmarc.shop.tld", "_dmarc.tld"],
        ["_dmarc.other.tld"],
    ]


def test_names_that_the_dns_cannot_have() -> None:
    """They are like names that do not exist: the records above them count."""
    long = "a" * 64 + ".example.com"
    zone: dict[str, str | list[str]] = {"_dmarc.example.com": "v=DMARC1; p=none; np=reject"}
    assert judged(long, zone).policy == "reject"
    deep = ".".join(["a" * 60] * 4) + ".example.com"
    assert judged(deep, zone).policy == "reject"
    assert judged("x" * 64, {}).result == "none"


@pytest.mark.parametrize(
    "authors",
    [
        Authors((), "no From field"),
        Authors(("a.example", "b.example"), "From has several domains"),
        Authors(("[192.0.2.1]",)),
    ],
)
def test_no_author(authors: Authors) -> None:
    found, rounds = run(evaluate(authors, Spf(), []), {})
    assert (found.result, rounds) == ("none", [])
    assert found.reason == (authors.fault or "the author has no domain name")


def test_a_from_field_with_a_fault_may_fail_but_never_passes() -> None:
    zone = {"_dmarc.example.com": {"TXT": [REJECT]}}
    faulty = Authors(("example.com",), "several From fields")
    found, _ = run(evaluate(faulty, Spf("pass", "example.com"), []), zone)
    assert (found.result, found.disposition) == ("permerror", "none")
    assert found.reason == "several From fields"
    assert run(evaluate(faulty, Spf(), []), zone)[0].disposition == "reject"


def test_prefetch_has_all_names_of_the_first_round() -> None:
    asked = prefetch("example.com", ["k.example.com", "esp.example.net", ""], "Bounce.Example.com")
    assert [each.name for each in asked] == [
        "_dmarc.example.com",
        "_dmarc.com",
        "_dmarc.k.example.com",
        "_dmarc.bounce.example.com",
    ]
    _, rounds = run(
        evaluate(
            Authors(("example.com",)),
            Spf("pass", "bounce.example.com"),
            [Dkim("pass", "k.example.com"), Dkim("pass", "esp.example.net")],
        ),
        {"_dmarc.example.com": {"TXT": [REJECT]}},
    )
    assert len(rounds) == 1
    assert set(rounds[0]) == set(asked)


def test_a_list_of_public_suffixes_in_place_of_the_walk() -> None:
    """RFC 7489: the author's record, or that of the domain under the suffix."""
    psl = {"mail.example.com": "example.com", "example.com": "example.com"}.__getitem__
    zone: dict[str, str | list[str]] = {"_dmarc.mail.example.com": REJECT}
    signed = Dkim("pass", "example.com")
    assert judged("mail.example.com", zone, signed).result == "fail"
    found = judged("mail.example.com", zone, signed, psl=psl)
    assert (found.result, found.method, found.org_domain) == ("pass", "psl", "example.com")
    found = judged("mail.example.com", {"_dmarc.example.com": REJECT}, psl=psl)
    assert (found.result, found.policy_domain) == ("fail", "example.com")


def test_no_more_signatures_count_than_anybody_verifies() -> None:
    many = [Dkim("pass", f"d{n}.example.com") for n in range(1000)]
    found, rounds = run(
        evaluate(Authors(("example.com",)), Spf(), [*many, Dkim("pass", "a." * 30_000 + "com")]),
        {"_dmarc.example.com": {"TXT": [REJECT]}},
    )
    assert found.result == "pass"
    assert sum(map(len, rounds)) == SIGNATURES_MAX + 2
    assert len(prefetch("example.com", [each.domain for each in many], "")) == SIGNATURES_MAX + 2
    assert len(prefetch("b.com", ["a." * 30_000 + "b.com"], "")) == 2


def test_many_signatures_take_few_questions() -> None:
    many = [Dkim("pass", f"d{n}.example.net") for n in range(1000)]
    found, rounds = run(
        evaluate(Authors(("example.com",)), Spf(), many),
        {"_dmarc.example.com": {"TXT": [REJECT]}},
    )
    assert found.result == "fail"
    assert sum(map(len, rounds)) == 2


def by_the_letter(domain: str, zone: dict[str, str]) -> tuple[dict[str, str], str]:
    """Walk as sections 4.10 and 4.10.2 say, a name after the other; return records and domain."""
    records: dict[str, str] = {}
    target = domain
    while target:
        if target in zone:
            records[target] = zone[target]
            if "psd" in zone[target]:
                break
        target = target.partition(".")[2]
    for name, text in records.items():
        if "psd=n" in text:
            return records, name
        if "psd=y" in text and name != domain:
            below = domain.removesuffix("." + name).rpartition(".")[2]
            return records, f"{below}.{name}"
    return records, min(records, key=lambda name: name.count("."), default=domain)


NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(".".join)
RECORDS = st.sampled_from(["p=none", "p=reject", "p=reject; psd=y", "p=quarantine; psd=n"])


@given(NAMES, NAMES, st.dictionaries(NAMES, RECORDS, max_size=5))
def test_one_round_says_what_a_walk_by_the_letter_says(
    author: str, signer: str, zone: dict[str, str]
) -> None:
    texts: dict[str, str | list[str]] = {
        f"_dmarc.{name}": f"v=DMARC1; {text}" for name, text in zone.items()
    }
    found = judged(author, texts, Dkim("pass", signer))
    records, org = by_the_letter(author, zone)
    top = [name for name, text in records.items() if "psd=y" in text]
    wanted = [name for name in (author, org, *top) if name in records]
    assert found.org_domain == org
    assert found.policy_domain == (wanted[0] if wanted else "")
    if wanted:
        aligned = signer == author or by_the_letter(signer, zone)[1] == org
        assert found.result == ("pass" if aligned else "fail")
        assert zone[wanted[0]].startswith(f"p={found.policy}")
    else:
        assert found.result == "none"
