"""The header fields of -m."""

import pytest

from opensmtpd.mail.dnsbl.findings import ListFinding
from opensmtpd.mail.dnsbl.header_fields import header_fields
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
