"""What smtpd found out about a client's name, as a result."""

import pytest

from opensmtpd.mail.client import MAPPED
from opensmtpd.mail.inbound.findings import Iprev, iprev
from unit.support.mail_client import client


@pytest.mark.parametrize(
    ("name", "verdict", "result"),
    [
        ("mx.example.com", "pass", "pass"),
        ("mx.example.com", "fail", "fail"),
        (None, "fail", "permerror"),
        (None, "error", "temperror"),
        ("mx.example.com", "error", "temperror"),
        (None, MAPPED, "temperror"),
    ],
)
def test_iprev(name: str | None, verdict: str, result: str) -> None:
    assert iprev(client("2001:db8::5", name, verdict)) == Iprev(result, "2001:db8::5")
