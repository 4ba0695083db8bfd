"""The header fields of -m."""

import pytest

from opensmtpd.mail.dnsbl.findings import ListFinding
from opensmtpd.mail.dnsbl.header_fields import Cleaner, header_fields
from unit.support.dnsbl_findings import GOOD, KEY, WHITE, A, B, listed, tally, unknown


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
def test_the_fields_are_those_of_the_c_filter(
    findings: list[ListFinding], fields: list[bytes]
) -> None:
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
