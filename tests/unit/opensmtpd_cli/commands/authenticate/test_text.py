"""What the command says to people."""

import pytest

from opensmtpd.dns import Absent, Failed, Found, Reply
from opensmtpd_cli.commands.authenticate.text import rows, shown_reply, tell
from unit.support.judged_message import FOUND, REFUSED


def test_each_method_with_what_it_is_about() -> None:
    assert list(rows(REFUSED)) == [
        ("dkim", "permerror", "d=example.com s=s a=rsa-sha256", "no key"),
        ("arc", "pass", "i=2 b.example a.example", ""),
        ("iprev", "pass", "192.0.2.7 mx.example.net", ""),
        ("spf", "none", "HELO mx.example.net", ""),
        ("spf", "fail", "MAIL FROM <a@example.net>", "not from there"),
        ("dmarc", "fail", "example.com", "policy reject of example.com, aligned: nothing"),
    ]


def test_why_there_is_no_result() -> None:
    dmarc = FOUND.dmarc._replace(result="none", policy_domain="")
    *_, unpublished = rows(REFUSED._replace(found=FOUND._replace(dmarc=dmarc)))
    assert unpublished == ("dmarc", "none", "example.com", "no policy is published")
    dmarc = dmarc._replace(reason="From has several domains")
    *_, unclear = rows(REFUSED._replace(found=FOUND._replace(dmarc=dmarc)))
    assert unclear[3] == "From has several domains"


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("none", "filter-auth --enforce lets it pass: DMARC policy"),
        ("quarantine", "filter-auth --enforce has it filed as junk: DMARC policy"),
        ("reject", "filter-auth --enforce refuses it: 550 5.7.1 No"),
    ],
)
def test_what_would_be_done(action: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell(REFUSED._replace(disposition=REFUSED.disposition._replace(action=action)))
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Found(("a; b",)), "a; b"),
        (Found(("a", "b; c")), '"a" "b; c"'),
        (Absent(), "no such records"),
        (Failed("SERVFAIL"), "SERVFAIL"),
    ],
)
def test_replies(reply: Reply, text: str) -> None:
    assert shown_reply(reply) == text
