"""Sums of what lists say, and the header fields of -m."""

import pytest

from opensmtpd.dns import Question, RecordType
from opensmtpd.mail.dnsbl.findings import Asked, Finding, Listed, Unknown
from opensmtpd.mail.dnsbl.header_fields import Cleaner, header_fields
from opensmtpd.mail.dnsbl.lists import List
from opensmtpd.mail.dnsbl.score import Tally

A = List("a.example", "a.example")
B = List("b.example", "b.example", score=3)
GOOD = List("good.example", "good.example", score=-2)
KEY = List("k3y.zen.dq.spamhaus.net", "zen.dq.spamhaus.net")
WHITE = List("w.example", "w.example", allow=True)


def listed(each: List) -> Listed:
    return Listed(Asked(each, "192.0.2.5", Question("name", RecordType.A)), ("127.0.0.2",))


def unknown(each: List) -> Unknown:
    return Unknown(each, "timeout")


def tally(*findings: Finding) -> Tally:
    made = Tally("1718c5e591926d28")
    made.put("connect", findings)
    return made


def test_scores_of_all_phases_add_up() -> None:
    made = tally(listed(A), unknown(KEY))
    made.put("helo", [listed(B)])
    made.put("mail-from", [listed(GOOD), listed(WHITE)])
    assert made.score == 1 + 3 - 2
    made.put("helo", [])  # another HELO, which ends the transaction
    assert made.score == 1
    assert [each.list for each in made.listed] == [A]
    assert made.unknown == [unknown(KEY)]


def test_who_is_allowed_and_who_may_be() -> None:
    nobody, white, may_be = (
        tally(listed(A), unknown(B)),
        tally(listed(WHITE)),
        tally(unknown(WHITE)),
    )
    assert [each.allowed for each in (nobody, white, may_be)] == [False, True, False]
    assert [each.doubtful for each in (nobody, white, may_be)] == [False, False, True]


@pytest.mark.parametrize(
    ("findings", "fields"),
    [
        ([], []),
        ([listed(A)], [b"X-Spam-DNSBL: Listed at a.example", b"X-Spam: Yes"]),
        (
            [listed(A), listed(KEY)],
            [
                b"X-Spam-DNSBL: Listed at a.example",
                b"X-Spam-DNSBL: Listed at zen.dq.spamhaus.net",
                b"X-Spam: Yes",
            ],
        ),
        ([unknown(KEY)], [b"X-Spam-DNS: Error at zen.dq.spamhaus.net"]),
        (
            [unknown(B), listed(A)],
            [
                b"X-Spam-DNS: Error at b.example",
                b"X-Spam-DNSBL: Listed at a.example",
                b"X-Spam: Yes",
            ],
        ),
        (
            [listed(A), unknown(WHITE)],
            [
                b"X-Spam-DNSBL: Listed at a.example",
                b"X-Spam-DNS: Error at w.example",
                b"X-Spam: Unknown",
            ],
        ),
        (
            [listed(A), listed(WHITE)],
            [b"X-Spam-DNSBL: Listed at a.example", b"X-Spam-DNSWL: Listed at w.example"],
        ),
        ([listed(WHITE)], [b"X-Spam-DNSWL: Listed at w.example"]),
        (
            [listed(A), listed(GOOD)],
            [b"X-Spam-DNSBL: Listed at a.example", b"X-Spam-DNSBL: Listed at good.example"],
        ),
    ],
)
def test_the_fields_are_those_of_the_c_filter(findings: list[Finding], fields: list[bytes]) -> None:
    assert list(header_fields(tally(*findings), 1)) == fields


def test_a_threshold_decides_upon_x_spam() -> None:
    both = tally(listed(A), listed(B))
    assert list(header_fields(both, 4))[2:] == [b"X-Spam: Yes"]
    assert list(header_fields(both, 5))[2:] == []


RECEIVED = [
    b"Received: from remote (remote [192.0.2.5])",
    b"\tby mail.example.org (OpenSMTPD) with ESMTP id 1",
    b"\tfor <alice@example.com>;",
]
MESSAGE = [
    b"X-Spam: Yes",  # smtpd's own
    b"X-Spam-Reason: rdns; 192.0.2.5 has no name in the DNS",
    *RECEIVED,
    b"Received: from inside by remote",
    b"x-spam: No",
    b"Subject: X-Spam: No",
    b"X-Spam-Report: fine",
    b"  X-Spam: folded",
    b"\tand more",
    b"X-Other: stays",
    b" X-Spam: folded",
    b"X-SPAM-DNSWL: Listed at w.example",
]
CLEAN = [
    *MESSAGE[:6],
    b"Subject: X-Spam: No",
    b"X-Other: stays",
    b" X-Spam: folded",
]


def test_the_clients_fields_go_and_all_others_stay() -> None:
    assert Cleaner().clean(MESSAGE) == CLEAN


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_same_in_runs(size: int) -> None:
    cleaner = Cleaner()
    runs = [MESSAGE[at : at + size] for at in range(0, len(MESSAGE), size)]
    assert [line for run in runs for line in cleaner.clean(run)] == CLEAN


def test_a_run_that_stays_is_the_same_object() -> None:
    run = [*RECEIVED, b"Subject: x"]
    assert Cleaner().clean(run) is run
