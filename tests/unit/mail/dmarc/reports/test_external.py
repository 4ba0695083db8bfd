"""Consent of other domains to get reports, on plain data."""

from collections.abc import Sequence

import pytest

from opensmtpd.dns import Absent, Failed, Found, RecordType, Reply
from opensmtpd.mail.dmarc.reports.external import Consent, consents
from opensmtpd.mail.dmarc.reports.uris import ReportAddress

OURS = ReportAddress("reports@example.com")
BELOW = ReportAddress("reports@mail.example.com")
FOREIGN = ReportAddress("reports@rua.example.net", 1024)
POLICY = Found(("v=DMARC1; p=none",))


def ask(
    asked: Sequence[ReportAddress], domain: str = "example.com", **replies: Reply
) -> tuple[list[Consent], list[str]]:
    """Return the result, and the names of its one step.

    ``replies`` are by names, with "__" for a dot; a name that is not there is absent.
    """
    known = {name.replace("__", "."): reply for name, reply in replies.items()}
    lookup = consents(domain, asked)
    questions = next(lookup)
    assert isinstance(questions, list)
    assert {each.kind for each in questions} == {RecordType.TXT}
    names = [each.name for each in questions]
    assert len(set(names)) == len(names)
    try:
        lookup.send([known.get(name, Absent(nxdomain=True)) for name in names])
    except StopIteration as end:
        return end.value, names
    raise AssertionError("a second step")


def one(reply: Reply) -> Consent:
    """Return what comes of a reply about the consent of FOREIGN."""
    (found,), names = ask(
        [FOREIGN],
        _dmarc__example__com=POLICY,
        example__com___report___dmarc__rua__example__net=reply,
    )
    assert "example.com._report._dmarc.rua.example.net" in names
    return found


def test_the_policy_domain_needs_no_consent() -> None:
    assert ask([OURS])[0] == [Consent(OURS, (OURS,))]


def test_hosts_of_the_same_organization_need_no_consent() -> None:
    for domain, host in (("example.com", BELOW), ("mail.example.com", OURS)):
        found, _ = ask([host], domain, _dmarc__example__com=POLICY)
        assert found == [Consent(host, (host,))]


def test_who_registers_below_a_public_suffix_is_asked() -> None:
    """The policy of a public suffix does not speak for the domains below it."""
    suffix = Found(("v=DMARC1; p=reject; psd=y",))
    found, _ = ask([OURS], "com", _dmarc__com=suffix)
    assert (found[0].given, found[0].reason) == ((), "example.com has not agreed to it")


def test_a_walk_that_fails_is_asked_again() -> None:
    found, _ = ask([BELOW], _dmarc__example__com=Failed("timeout"))
    assert found == [Consent(BELOW, (), later=True, reason="the DNS did not tell whose it is")]


@pytest.mark.parametrize(
    "records",
    [
        ("v=DMARC1",),
        ("v=DMARC1;",),
        (" v = DMARC1 ; ",),
        ("v=DMARC1; p=none",),
        ("something else", "v=DMARC1"),
    ],
)
def test_a_record_that_agrees(records: tuple[str, ...]) -> None:
    assert one(Found(records)) == Consent(FOREIGN, (FOREIGN,))


@pytest.mark.parametrize(
    "record",
    ["", ";", "v=dmarc1", "v=DMARC2", "p=none; v=DMARC1", "v=DMARC1; x", "DMARC1", "V=DMARC1", "="],
)
def test_a_record_that_does_not(record: str) -> None:
    found = one(Found((record,)))
    assert (found.given, found.later) == ((), False)
    assert found.reason == "rua.example.net has not agreed to it"


def test_no_record_is_no_consent() -> None:
    found = one(Absent())
    assert (found.given, found.later) == ((), False)


def test_a_failure_is_asked_again() -> None:
    found = one(Failed("timeout"))
    assert found == Consent(FOREIGN, (), later=True, reason="the DNS did not tell: timeout")


def test_another_address_at_the_same_host() -> None:
    found = one(Found(("v=DMARC1; rua=mailto:other@rua.example.net!1m",)))
    assert found == Consent(FOREIGN, (ReportAddress("other@rua.example.net", 1 << 20),))


@pytest.mark.parametrize(
    "rua",
    ["mailto:a@victim.example", "mailto:a@rua.example.net,mailto:b@victim.example", "https://x/"],
)
def test_another_host_gets_nothing_and_neither_does_the_first(rua: str) -> None:
    found = one(Found((f"v=DMARC1; rua={rua}",)))
    assert (found.given, found.reason) == ((), "rua.example.net names another host in its place")


def test_all_hosts_are_asked_about_at_once_and_each_once() -> None:
    second = ReportAddress("x@rua.example.net")
    third = ReportAddress("x@notexample.com")
    found, names = ask(
        [FOREIGN, OURS, second, third],
        _dmarc__example__com=POLICY,
        example__com___report___dmarc__rua__example__net=Found(("v=DMARC1",)),
    )
    assert [name for name in names if "_report" in name] == [
        "example.com._report._dmarc.rua.example.net",
        "example.com._report._dmarc.example.com",
        "example.com._report._dmarc.notexample.com",
    ]
    assert [each.given for each in found] == [(FOREIGN,), (OURS,), (second,), ()]


def test_nothing_is_asked_for_nobody() -> None:
    with pytest.raises(StopIteration) as end:
        next(consents("example.com", []))
    assert end.value.value == []


def test_a_name_that_is_too_long_is_not_asked_for() -> None:
    found, names = ask([FOREIGN], ".".join(["x" * 60] * 4))
    assert not [name for name in names if "_report" in name]
    assert found == [Consent(FOREIGN, (), reason="its name is too long to be asked for consent")]
