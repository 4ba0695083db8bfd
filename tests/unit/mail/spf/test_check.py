"""The check of a client: results, and the rounds of questions that lead to them."""

import time
from collections import Counter
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.spf.check import SpfResult, check_host
from unit.support.lookup_run import LookupRun
from unit.support.spf_zone import CLIENT, FAILS, checked, rounds

RESULTS = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}


def result(records: dict[str, str | list[str]], address: str = CLIENT) -> str:
    return checked(records, address)[0].result


# --- what is told --------------------------------------------------------------------------------


def test_a_match() -> None:
    found, run = checked({"example.org TXT": "v=spf1 ip4:192.0.2.0/24 -all"})
    assert found == SpfResult("pass", "example.org", "", "", "ip4:192.0.2.0/24")
    assert rounds(run) == ["example.org TXT"]


def test_no_match() -> None:
    found, _ = checked({"example.org TXT": "v=spf1 ip4:192.0.2.1"})
    assert found == SpfResult("neutral", "example.org", "", "", "default")


def test_a_match_in_an_included_record_is_that_of_the_include() -> None:
    found, _ = checked(
        {"example.org TXT": "v=spf1 ?include:a.example", "a.example TXT": "v=spf1 +all"}
    )
    assert found == SpfResult("neutral", "example.org", "", "", "?include:a.example")


def test_a_match_behind_a_redirect_is_that_of_the_other_record() -> None:
    found, _ = checked(
        {
            "example.org TXT": "v=spf1 redirect=a.example exp=wrong.example",
            "wrong.example TXT": "Wrong",
            "a.example TXT": "v=spf1 -all exp=%{d1}.%{o}",
            "example.example.org TXT": "%{d} has no %{c}",
        }
    )
    assert found == SpfResult("fail", "example.org", "", "a.example has no 192.0.2.7", "-all")


def test_no_record() -> None:
    assert checked({})[0] == SpfResult("none", "example.org")
    assert checked({"example.org TXT": "v=spf2 all"})[0] == SpfResult("none", "example.org")


@pytest.mark.parametrize(
    "domain",
    ["", "localhost", "a..example", "x" * 64 + ".example", "[192.0.2.7]", "a\r\nb.example"],
)
def test_no_domain_name_is_asked_for(domain: str) -> None:
    found, run = checked({}, domain=domain)
    assert found == SpfResult("none", domain.replace("\r\n", "??"))
    assert run.rounds == []


@pytest.mark.parametrize(
    ("records", "result", "reason"),
    [
        ({"example.org TXT": FAILS}, "temperror", "example.org TXT: timeout"),
        ({"example.org TXT": "v=spf1 mx", "example.org MX": FAILS}, "temperror",
         "example.org MX: timeout"),
        ({"example.org TXT": "v=spf1 a\xff"}, "permerror",
         "example.org: a character that is not printable ASCII"),
        ({"example.org TXT": ["v=spf1 a", "V=SPF1 mx"]}, "permerror",
         "example.org: more than one SPF record"),
        ({"example.org TXT": "v=spf1 all moo"}, "permerror", "example.org: moo: no such mechanism"),
        ({"example.org TXT": "v=spf1 include:a.b"}, "permerror",
         "include: a.b has no SPF record"),
        ({"example.org TXT": "v=spf1 redirect=a.b"}, "permerror",
         "redirect: a.b has no SPF record"),
        ({"example.org TXT": "v=spf1 redirect=a..b"}, "permerror",
         "redirect: a..b has no SPF record"),
        ({"example.org TXT": "v=spf1 include:a.b", "a.b TXT": "v=spf1 x"}, "permerror",
         "a.b: x: no such mechanism"),
        ({"example.org TXT": "v=spf1 include:%{l}\x7f"}, "permerror",
         "example.org: a character that is not printable ASCII"),
    ],
)  # fmt: skip
def test_errors_have_a_reason(
    records: dict[str, str | list[str]], result: str, reason: str
) -> None:
    assert checked(records)[0] == SpfResult(result, "example.org", reason)


def test_a_reason_is_harmless() -> None:
    run = LookupRun(lambda question: Failed("x\r\n\xff" + "y" * 500))
    found = run(check_host(ip_address(CLIENT), "example.org", "a@example.org", ""))
    assert found.reason.startswith("example.org TXT: x???yyy")
    assert len(found.reason) == 200


# --- explanations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "explanation"),
    [
        (["See http://%{d}/?s=%{S}&t=%{t}"], "See http://example.org/?s=alice%40example.org&t=1700000000"),
        (["x" * 1000], "x" * 400),
        (["%{l}" * 10_000], "alice" * 80),
        (["one", "two"], ""),
        (["%{x}"], ""),
        (["bad\xff"], ""),
        (["bad\r\n550 x"], ""),
        ([""], ""),
        (FAILS, ""),
        (["name %{p}"], "name unknown"),
    ],
)  # fmt: skip
def test_an_explanation(texts: list[str] | str, explanation: str) -> None:
    records = {"example.org TXT": "v=spf1 -all exp=e.%{d}", "e.example.org TXT": texts}
    assert checked(records)[0] == SpfResult("fail", "example.org", "", explanation, "-all")


def test_an_explanation_of_a_hostile_client_is_harmless() -> None:
    run = LookupRun(
        lambda question: Found(
            ("v=spf1 -all exp=e.example",) if question.name == "example.org" else ("%{h}%{l}",)
        )
    )
    lookup = check_host(ip_address(CLIENT), "example.org", "a\r\n\xe4@example.org", "x\0\u20ac")
    assert run(lookup).explanation == "x??a???"


def test_only_a_fail_is_explained() -> None:
    found, run = checked({"example.org TXT": "v=spf1 ~all exp=e.example"})
    assert (found.result, len(run.rounds)) == ("softfail", 1)


# --- rounds --------------------------------------------------------------------------------------


def test_all_terms_of_a_record_are_asked_at_once() -> None:
    found, run = checked(
        {
            "example.org TXT": "v=spf1 a mx exists:%{i}.l.example ptr include:b.example -all",
            "example.org MX": "mx1.example.org mx2.example.org",
            "7.2.0.192.in-addr.arpa PTR": "host.example.org host.example.net",
            "example.org A": "192.0.2.1",
            "mx1.example.org A": "192.0.2.1",
            "mx2.example.org A": "192.0.2.1",
            "host.example.org A": "192.0.2.1",
            "b.example TXT": "v=spf1 a:c.example include:d.example",
            "c.example A": "192.0.2.1",
            "d.example TXT": "v=spf1 -all",
        }
    )
    assert found.result == "fail"
    assert rounds(run) == [
        "example.org TXT",
        "example.org A, example.org MX, 192.0.2.7.l.example A, 7.2.0.192.in-addr.arpa PTR,"
        " b.example TXT",
        "mx1.example.org A, mx2.example.org A, host.example.org A, c.example A, d.example TXT",
    ]


def test_ten_mail_exchangers_take_two_rounds() -> None:
    hosts = [f"mx{number}.example.org" for number in range(10)]
    records: dict[str, str | list[str]] = {
        "example.org TXT": "v=spf1 mx -all",
        "example.org MX": " ".join(hosts),
    }
    records |= {f"{host} A": f"192.0.2.{number}" for number, host in enumerate(hosts)}
    found, run = checked(records)
    assert found.result == "pass"
    assert [len(each) for each in run.rounds] == [1, 1, 10]


def test_nothing_is_asked_behind_what_is_known_to_match() -> None:
    found, run = checked(
        {
            "example.org TXT": "v=spf1 mx a ip4:192.0.2.7 exists:no.example -all",
            "example.org A": CLIENT,
            "example.org MX": "mx.example",
            "mx.example A": "192.0.2.1",
        }
    )
    assert (found.result, found.mechanism) == ("pass", "a")
    assert rounds(run) == ["example.org TXT", "example.org MX, example.org A", "mx.example A"]


def test_a_macro_of_the_clients_name_waits_for_it() -> None:
    found, run = checked(
        {
            "example.org TXT": "v=spf1 exists:%{p}.l.example a ~all",
            "7.2.0.192.in-addr.arpa PTR": "mail.example.org mail.test",
            "mail.example.org A": CLIENT,
            "mail.test A": CLIENT,
            "mail.example.org.l.example A": "127.0.0.2",
        }
    )
    assert (found.result, found.mechanism) == ("pass", "exists:%{p}.l.example")
    assert rounds(run) == [
        "example.org TXT",
        "7.2.0.192.in-addr.arpa PTR, example.org A",
        "mail.example.org A, mail.test A",
        "mail.example.org.l.example A",
    ]


def test_a_slow_question_that_was_asked_ahead_is_not_waited_for() -> None:
    slow = Question("slow.example", RecordType.TXT)
    records: dict[str, str | list[str]] = {
        "example.org TXT": "v=spf1 mx include:slow.example -all",
        "example.org MX": "a.example",
        "a.example A": "192.0.2.1",
        "slow.example TXT": "v=spf1 +all",
    }
    found, run = checked(records, slow=[slow])
    assert (found.result, found.mechanism) == ("pass", "include:slow.example")
    assert rounds(run)[1:] == [
        "example.org MX, slow.example TXT",
        "a.example A",
        "slow.example TXT",
    ]
    records["a.example A"] = CLIENT
    found, run = checked(records, slow=[slow])
    assert (found.result, found.mechanism) == ("pass", "mx")
    assert rounds(run)[1:] == ["example.org MX, slow.example TXT", "a.example A"]


# --- the order of evaluation ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("a:yes.example a:fails.example", "pass"),
        ("a:fails.example a:yes.example", "temperror"),
        ("a:yes.example include:none.example", "pass"),
        ("include:none.example a:yes.example", "permerror"),
        ("a:yes.example include:wrong.example", "pass"),
        ("include:wrong.example a:yes.example", "permerror"),
        ("include:wrong.example a:fails.example", "permerror"),
        ("a:fails.example include:wrong.example", "temperror"),
        ("a:yes.example a:1.no a:2.no a:3.no", "pass"),
        ("a:1.no a:2.no a:yes.example a:3.no", "pass"),
        ("a:1.no a:2.no a:3.no a:yes.example", "permerror"),
        ("a:1.no include:two.example a:yes.example", "permerror"),
        ("a:yes.example" + " a:b.example" * 12, "pass"),
        ("a:b.example " * 9 + "a:yes.example a:b.example", "pass"),
        ("a:b.example " * 10 + "a:yes.example", "permerror"),
        ("a:b.example " * 10 + "-all", "fail"),
        ("a:b.example " * 10 + "redirect=minus.example", "permerror"),
        ("a:b.example " * 9 + "redirect=minus.example", "fail"),
        ("include:five.example include:four.example -all", "permerror"),
        ("include:five.example include:three.example -all", "fail"),
        ("include:loop.example", "permerror"),
        ("redirect=loop.example", "permerror"),
        ("ptr:fails.example -all", "fail"),
        ("mx:many.example -all", "permerror"),
        ("mx:one.example mx:many.example", "pass"),
        ("include:minus.example ?all", "neutral"),
        ("include:tilde.example ?all", "neutral"),
        ("include:neutral.example -all", "fail"),
        ("-include:fails.example all", "temperror"),
        ("include:a.b_c -all", "permerror"),
        ("a:a..example mx:%{l}..example exists:..a.example -all", "fail"),
    ],
)
def test_speculation_changes_nothing(record: str, expected: str) -> None:
    five = "v=spf1 " + "a:b.example " * 5
    records: dict[str, str | list[str]] = {
        "example.org TXT": "v=spf1 " + record,
        "yes.example A": CLIENT,
        "b.example A": "192.0.2.1",
        "fails.example A": FAILS,
        "fails.example TXT": FAILS,
        "wrong.example TXT": "v=spf1 moo",
        "two.example TXT": "v=spf1 a:2.no a:3.no",
        "five.example TXT": five,
        "four.example TXT": five.removesuffix("a:b.example "),
        "three.example TXT": five.removesuffix("a:b.example a:b.example "),
        "minus.example TXT": "v=spf1 -all",
        "tilde.example TXT": "v=spf1 ~all",
        "neutral.example TXT": "v=spf1 ?all",
        "loop.example TXT": "v=spf1 include:loop.example",
        "one.example MX": "yes.example fails.example",
        "many.example MX": " ".join(["yes.example"] * 11),
        "7.2.0.192.in-addr.arpa PTR": "fails.example",
    }
    assert result(records) == expected


def test_ipv6_clients_and_hosts_with_ipv4_only() -> None:
    """mailauth counts no void question of a host that has an address at all; pyspf does."""
    records: dict[str, str | list[str]] = {
        "example.org TXT": "v=spf1 a mx ~all",
        "example.org A": "192.0.2.1",
        "example.org MX": "a.example b.example c.example",
        "a.example A": "192.0.2.1",
        "b.example A": "192.0.2.1",
        "c.example A": "192.0.2.1",
    }
    found, run = checked(records, "2001:db8::7")
    assert (found.result, found.mechanism) == ("softfail", "~all")
    assert rounds(run)[-1] == "example.org A, a.example A, b.example A, c.example A"
    del records["a.example A"], records["b.example A"], records["c.example A"]
    assert result(records, "2001:db8::7") == "permerror"


def test_two_void_questions_ask_nothing_of_the_other_family() -> None:
    _, run = checked({"example.org TXT": "v=spf1 a:a.example a:b.example"}, "2001:db8::7")
    assert rounds(run) == ["example.org TXT", "a.example AAAA, b.example AAAA"]


def test_mapped_ipv4_is_ipv4() -> None:
    assert result({"example.org TXT": "v=spf1 ip4:192.0.2.7 -all"}, "::ffff:192.0.2.7") == "pass"


# --- bounds --------------------------------------------------------------------------------------


def test_records_of_a_check_are_bounded_as_a_whole() -> None:
    half = "v=spf1 " + "ip4:192.0.2.1 " * 2_400
    records: dict[str, str | list[str]] = {
        "example.org TXT": half + "include:a.example -all",
        "a.example TXT": half,
    }
    found, _ = checked(records)
    assert found.reason == "more than 65536 octets of SPF records"
    assert found.result == "permerror"
    assert result({"example.org TXT": half + "-all"}) == "fail"


class Worst:
    """A DNS of a domain that wants to be asked as much as possible."""

    def __init__(self, record: str) -> None:
        self.record = record

    def __call__(self, question: Question) -> Reply:
        match question.kind:
            case RecordType.TXT:
                return Found((self.record.replace("@", f"x{len(question.name)}"),))
            case RecordType.MX:
                return Found(tuple(f"{number}.{question.name}" for number in range(10)))
            case RecordType.PTR:
                return Found(tuple(f"{number}.example.org" for number in range(4_000)))
            case _:
                return Found(("192.0.2.1",)) if len(question.name) % 2 else Absent()


WORST = {
    "includes": "v=spf1 " + "".join(f"include:{n}.%{{d}} " for n in range(20)),
    "includes, then hosts": "v=spf1 include:i.%{d} "
    + "".join(f"mx:{n}.%{{d}} " for n in range(20)),
    "hosts": "v=spf1 " + "".join(f"mx:{n}.%{{d}} " for n in range(20)),
    "names": "v=spf1 " + "".join(f"exists:{n}.%{{p}} " for n in range(20)),
    "pointers": "v=spf1 ptr " + "ptr:%{d} " * 20,
    "redirects": "v=spf1 redirect=r.%{d}",
    "addresses": "v=spf1 " + "ip4:192.0.2.1 " * 4_300 + "include:i.%{d} a -all",
    "macros": "v=spf1 exists:" + "%{l1-}" * 9_000 + "%{d} include:i.%{d}",
    "labels": "v=spf1 exists:" + "a." * 10_000 + "%{d} include:i.%{d}",
    "modifiers": "v=spf1 include:i.%{d} " + "x=%{d} " * 8_000,
    "an explanation": "v=spf1 -all exp=e.%{d}",
}
QUESTIONS_MAX = 350
"""100 until none is asked ahead, and a round of them, 10 terms with 10 names; then 10 terms."""


@pytest.mark.parametrize("record", WORST.values(), ids=WORST.keys())
def test_the_worst_records_cost_little(record: str) -> None:
    run = LookupRun(Worst(record))
    start = time.process_time()
    lookup = check_host(ip_address("2001:db8::7"), "example.org", "-" * 255 + "@example.org", "")
    assert run(lookup).result in RESULTS
    assert time.process_time() - start < 1.0
    assert len(run.rounds) <= 13
    assert len(run.asked) <= QUESTIONS_MAX
    assert len(set(run.asked)) == len(run.asked)


@pytest.mark.parametrize("record", WORST.values(), ids=WORST.keys())
def test_slow_replies_do_not_multiply_questions(record: str) -> None:
    """A record says where it goes on only after the terms behind it have been asked for more."""

    class Slow(set[Question]):
        def __contains__(self, question: object) -> bool:
            return isinstance(question, Question) and question.kind is RecordType.TXT

    run = LookupRun(Worst(record))
    run.slow = Slow()
    lookup = check_host(ip_address(CLIENT), "example.org", "-" * 255 + "@example.org", "")
    assert run(lookup).result in RESULTS
    assert len(set(run.asked)) <= QUESTIONS_MAX


NAMES = [f"{name}.example" for name in "abcd"]
TERMS = ["{}a:%", "{}mx:%", "{}include:%", "{}exists:%", "{}ptr:%", "redirect=%", "exp=%", "{}all"]
TERMS += [
    "{}ip4:192.0.2.0/29",
    "{}ip6:2001:db8::/32",
    "{}exists:%{l}%{p}.%",
    "{}a:%{d}",
    "{}a/24//64",
]


@st.composite
def zones(draw: st.DrawFn) -> dict[str, str | list[str]]:
    records: dict[str, str | list[str]] = {}
    names = st.sampled_from(NAMES)
    for name in ["example.org", *NAMES]:
        terms = draw(st.lists(st.sampled_from(TERMS), max_size=5))
        filled = [
            term.replace("{}", draw(st.sampled_from(["", "-", "~", "?"])), 1).replace(
                "%", draw(names)
            )
            if "%{" not in term
            else term.replace("{}", "", 1).replace(".%", "." + draw(names))
            for term in terms
        ]
        text = " ".join(["v=spf1", *filled])
        kinds: list[str | list[str]] = [text, text, text, FAILS, "x", [text, text]]
        records[f"{name} TXT"] = draw(st.sampled_from(kinds))
        addresses = ["192.0.2.7", "192.0.2.1", "192.0.2.7 192.0.2.1", FAILS, None]
        for kind, values in (
            ("A", addresses),
            ("AAAA", ["2001:db8::7", "2001:db8::1", FAILS, None]),
        ):
            value = draw(st.sampled_from(values))
            if value is not None:
                records[f"{name} {kind}"] = value
        if draw(st.booleans()):
            records[f"{name} MX"] = " ".join(draw(st.lists(names, min_size=1, max_size=11)))
    for pointer in ("7.2.0.192.in-addr.arpa", ip_address("2001:db8::7").reverse_pointer):
        if draw(st.booleans()):
            records[f"{pointer} PTR"] = draw(st.sampled_from(["a.example b.example", FAILS]))
    return records


@settings(max_examples=150)
@given(zones(), st.sampled_from(["192.0.2.7", "2001:db8::7"]))
def test_any_zone_is_judged(records: dict[str, str | list[str]], address: str) -> None:
    found, run = checked(records, address)
    assert found.result in RESULTS
    assert (found.reason != "") == (found.result in ("temperror", "permerror"))
    assert (found.mechanism != "") == (found.result in ("neutral", "pass", "fail", "softfail"))
    assert len(run.rounds) <= 30
    assert len(run.asked) <= QUESTIONS_MAX
    # What failed ahead is asked again where the check needs it.
    twice = [question for question, times in Counter(run.asked).items() if times > 1]
    assert all(records.get(f"{name} {kind}") == FAILS for name, kind in twice)


@settings(max_examples=100)
@given(zones(), st.sampled_from(["192.0.2.7", "2001:db8::7"]), st.randoms(use_true_random=False))
def test_slow_replies_change_nothing(
    records: dict[str, str | list[str]], address: str, dice: Random
) -> None:
    found, run = checked(records, address)
    slow = {question for question in run.asked if dice.random() < 0.3}
    assert checked(records, address, slow=slow)[0] == found


@given(
    st.text(max_size=80),
    st.text(max_size=80),
    st.text(max_size=80),
    st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")),
)
def test_any_text_is_judged(domain: str, sender: str, helo: str, text: str) -> None:
    run = LookupRun(lambda question: Found((f"v=spf1 a:%{{s}} exists:%{{h}}.x {text}",)))
    found = run(check_host(ip_address(CLIENT), domain, sender, helo))
    assert found.result in RESULTS
    for shown in found:
        assert shown.isascii()
        assert shown.isprintable()
