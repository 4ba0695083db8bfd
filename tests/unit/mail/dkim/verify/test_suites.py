"""Published messages, and those of dkim-verify.json, case by case."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from unit.support.dkim_material import ED25519_PUBLIC, RFC_8463_RSA_PUBLIC, RSA_PUBLIC
from unit.support.dkim_verifying import verified, zone_of

HERE = Path(__file__).parents[6] / "shared" / "suites"
SUITES = Path(os.environ.get("OPENSMTPD_PLUGINS_SUITES", HERE))
CASES = SUITES / "inbound" / "dkim-verify.json"


@cache
def suite() -> dict[str, Any]:
    """Return the cases, none where there is no such file."""
    if not CASES.is_file():
        return {"cases": [], "zone": {}}
    loaded: dict[str, Any] = json.loads(CASES.read_text())
    return loaded


def test_the_suite_is_there() -> None:
    if not suite()["cases"]:
        pytest.skip(f"no {CASES}; OPENSMTPD_PLUGINS_SUITES names another folder")
    assert len(suite()["cases"]) == 94


@pytest.mark.parametrize("at_once", [1, 1 << 20], ids=["by line", "whole"])
@pytest.mark.parametrize("case", suite()["cases"], ids=lambda case: case["id"])
def test_case(case: dict[str, Any], at_once: int) -> None:
    zone = zone_of({**suite()["zone"], **case.get("zone", {})})
    results = verified(case["message"].encode("latin-1"), zone, at_once)
    assert [one.result for one in results] in [case["expect"], *case.get("accept", [])], results


RSA_RECORD = RSA_PUBLIC.decode()
ZONE = {
    "brisbane._domainkey.example.com": RSA_RECORD,
    "brisbane._domainkey.football.example.com": ED25519_PUBLIC.decode(),
    "test._domainkey.football.example.com": f"v=DKIM1; k=rsa; p={RFC_8463_RSA_PUBLIC}",
    # Of another project's message (002.txt).
    "newengland._domainkey.example.com": "v=DKIM1; p="
    "MIGJAoGBALVI635dLK4cJJAH3Lx6upo3X/Lm1tQz3mezcWTA3BUBnyIsdnRf57aD5BtNmhPrYYDlWlzw3"
    "UgnKisIxktkk5+iMQMlFtAS10JB8L3YadXNJY+JBcbeSi5TgJe4WFzNgW95FWDAuSTRXSWZfA/8xjflbTLDx"
    "0euFZOM7C4T0GwLAgMBAAE=",
}
PASS = ("pass", "")
OTHER = ("permerror", "the key is for another algorithm")


@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("rfc6376-A.2.eml", [PASS]),
        ("rfc6376-A.2-body_modified.eml", [("fail", "the body was changed")]),
        (
            "rfc6376-A.2-header_subject_modified.eml",
            [("fail", "the signature does not fit the header")],
        ),
        ("rfc6376-A.2-ill_formed-list_id.eml", [PASS]),
        ("rfc6376-A.2-ill_formed-missing_v.eml", [("permerror", "v= missing")]),
        ("rfc8463-A.3.eml", [PASS, PASS]),
        ("rfc8463-A.3-key_algo_mismatch.eml", [OTHER, OTHER]),
        ("001.txt", [PASS, PASS]),
        ("002.txt", [PASS]),
    ],
)
def test_published_messages(name: str, results: list[tuple[str, str]]) -> None:
    path = SUITES / "dkim" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    message = path.read_bytes()
    if name.endswith(".txt"):  # records stand in front, then an empty line
        message = message.replace(b"\r", b"").partition(b"\n\n")[2]
    assert [one[:2] for one in verified(message, zone_of(ZONE))] == results
