"""Consent of other domains to get reports, on plain data."""

from collections.abc import Sequence

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.dmarc.reports.external import Consent, consents
from opensmtpd.mail.dmarc.reports.uris import Destination

OURS = Destination("reports@example.com")
BELOW = Destination("reports@mail.example.com")
FOREIGN = Destination("reports@rua.example.net", 1024)
QUESTION = Question("example.com._report._dmarc.rua.example.net", RecordType.TXT)


def ask(asked: Sequence[Destination], **replies: Reply) -> tuple[list[Consent], list[Question]]:
    """Return the result, and the questions of its one step; ``replies`` are by host, with "_"."""
    lookup = consents("example.com", asked)
    try:
        questions = list(next(lookup))  # type: ignore[arg-type]
        hosts = [each.name.partition("._report._dmarc.")[2] for each in questions]
        lookup.send([replies[host.replace(".", "_")] for host in hosts])
    except StopIteration as end:
        return end.value, questions if replies else []
    raise AssertionError("a second step")


def one(*records: str) -> Consent:
    """Return what comes of records for FOREIGN."""
    (found,), questions = ask([FOREIGN], rua_example_net=Found(records))
    assert questions == [QUESTION]
    return found


def test_own_hosts_need_no_consent() -> None:
    assert ask([OURS, BELOW]) == ([Consent(OURS, (OURS,)), Consent(BELOW, (BELOW,))], [])


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
    assert one(*records) == Consent(FOREIGN, (FOREIGN,))


@pytest.mark.parametrize(
    "record",
    ["", ";", "v=dmarc1", "v=DMARC2", "p=none; v=DMARC1", "v=DMARC1; x", "DMARC1", "V=DMARC1", "="],
)
def test_a_record_that_does_not(record: str) -> None:
    found = one(record)
    assert (found.given, found.later) == ((), False)
    assert found.reason == "rua.example.net has not agreed to it"


def test_no_record_is_no_consent() -> None:
    (found,), _ = ask([FOREIGN], rua_example_net=Absent())
    assert (found.given, found.later) == ((), False)


def test_a_failure_is_asked_again() -> None:
    (found,), _ = ask([FOREIGN], rua_example_net=Failed("timeout"))
    assert found == Consent(FOREIGN, (), later=True, reason="the DNS did not tell: timeout")


def test_another_address_at_the_same_host() -> None:
    found = one("v=DMARC1; rua=mailto:other@rua.example.net!1m")
    assert found == Consent(FOREIGN, (Destination("other@rua.example.net", 1 << 20),))


@pytest.mark.parametrize(
    "rua",
    ["mailto:a@victim.example", "mailto:a@rua.example.net,mailto:b@victim.example", "https://x/"],
)
def test_another_host_gets_nothing_and_neither_does_the_first(rua: str) -> None:
    found = one(f"v=DMARC1; rua={rua}")
    assert (found.given, found.reason) == ((), "rua.example.net names another host in its place")


def test_all_hosts_are_asked_about_at_once_and_each_once() -> None:
    second = Destination("x@rua.example.net")
    third = Destination("x@notexample.com")
    found, questions = ask(
        [FOREIGN, OURS, second, third],
        rua_example_net=Found(("v=DMARC1",)),
        notexample_com=Absent(),
    )
    assert [each.name for each in questions] == [
        "example.com._report._dmarc.rua.example.net",
        "example.com._report._dmarc.notexample.com",
    ]
    assert [each.given for each in found] == [(FOREIGN,), (OURS,), (second,), ()]


def test_a_name_that_is_too_long_is_not_asked_for() -> None:
    domain = ".".join(["x" * 60] * 4)
    lookup = consents(domain, [FOREIGN])
    with pytest.raises(StopIteration) as end:
        next(lookup)
    assert end.value.value == [
        Consent(FOREIGN, (), reason="its name is too long to be asked for consent")
    ]
