"""Messages with chains: verified on plain data, and made with the keys of the test suites."""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from opensmtpd.dns import Absent, Failed, Found, Question, Reply
from opensmtpd.mail.arc.verify import ArcResult, ArcVerification
from opensmtpd.mail.dkim.verify.bodies import BodyHashes
from opensmtpd.mail.dkim.verify.keys_worker import PublicKeyWorker

NOW = 1_796_000_000
"""A time later than that of all signatures in the suites, in seconds since 1970."""

_CHOSEN = os.environ.get("OPENSMTPD_PLUGINS_SUITES")
SUITES = Path(_CHOSEN) if _CHOSEN else Path(__file__).parents[4] / "shared" / "suites"


def verified(message: bytes, zone: Mapping[str, str | None], weak: bool = False) -> ArcResult:
    """Verify a message with line feeds as line ends; ``zone`` has TXT records by their names.

    A record of "SERVFAIL" is a name server that does not answer.
    """
    header, _, body = message.partition(b"\n\n")
    bodies = BodyHashes()
    verification = ArcVerification(b"\n" + header, bodies, now=NOW, weak=weak)
    asked = 0
    lookup = verification.keys()
    try:
        questions = next(lookup)
        while True:
            asked += 1
            assert isinstance(questions, list)
            assert len(questions) == len(set(questions)) <= 51
            questions = lookup.send([_reply(question, zone) for question in questions])
    except StopIteration:
        assert asked <= 1
    bodies.feed(body.removesuffix(b"\n").split(b"\n") if body else [])
    bodies.end()
    claims = [list(claim) for claim in verification.claims()]  # as they cross to the worker
    return verification.result([list(each) for each in PublicKeyWorker().handle(claims)])


def _reply(question: Question, zone: Mapping[str, str | None]) -> Reply:
    match zone.get(question.name):
        case None:
            return Absent()
        case "SERVFAIL":
            return Failed("SERVFAIL")
        case text:
            return Found((text,))


@cache
def seal_suite() -> dict[str, Any]:
    """Return the suite arc-seal.json, one without cases where it is not there."""
    path = SUITES / "inbound" / "arc-seal.json"
    suite = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"cases": []}
    for case in suite["cases"]:
        case["message"] = case["message"].replace("\r\n", "\n").encode("latin-1")
        case["zone"] = {**suite["zone"], **case.get("zone", {})}
    found: dict[str, Any] = suite
    return found


def sealed_message(id: str) -> bytes:
    """Return the message of a case of that suite."""
    found: bytes = next(case["message"] for case in seal_suite()["cases"] if case["id"] == id)
    return found
