"""All that is known of a message, as the field and as JSON have it."""

import json

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd_cli.commands.authenticate.assessment import said
from opensmtpd_cli.commands.authenticate.judge import Opinion
from unit.support.judged_message import FOUND, REFUSED


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Found(("a",)), "found"),
        (Absent(), "no such records"),
        (Absent(nxdomain=True), "no such name"),
        (Failed("SERVFAIL"), "failed"),
    ],
)
def test_kinds_of_replies(reply: Reply, text: str) -> None:
    assert said(reply) == text


def test_the_field() -> None:
    assert REFUSED.field.split("\n")[0] == (
        'Authentication-Results: mx.test; dkim=permerror reason="no key" header.s=s'
    )
    assert "spf=fail" in REFUSED.field
    assert "iprev=pass" in REFUSED.field


def test_without_a_client_there_is_nothing_about_one() -> None:
    unknown = FOUND._replace(client=FOUND.client._replace(address=None))
    assessment = REFUSED._replace(found=unknown)
    assert "spf" not in assessment.field
    assert "iprev" not in assessment.field
    assert assessment.data()["iprev"] is None
    assert assessment.data()["spf"] == {"helo": None, "mailfrom": None}


def test_json() -> None:
    question = Question("a.test", RecordType.TXT)
    replies: dict[Question, Reply] = {question: Failed("SERVFAIL")}
    assessment = REFUSED._replace(replies=replies, opinions=[Opinion("dkim", "error", "no key")])
    data = json.loads(json.dumps(assessment.data()))
    assert data["dkim"][0]["reason"] == "no key"
    assert data["arc"]["sealers"] == ["b.example", "a.example"]
    assert (data["action"], data["reply"]) == ("reject", "550 5.7.1 No")
    assert data["dns"] == [
        {"name": "a.test", "type": "TXT", "reply": "failed", "records": [], "reason": "SERVFAIL"}
    ]
    assert data["judge"] == [{"method": "dkim", "result": "error", "reason": "no key"}]
