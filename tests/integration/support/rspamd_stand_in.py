"""An rspamd that knows its own test patterns alone, for scenes about the lines of smtpd.conf."""

from collections.abc import Mapping
from typing import Any

from unit.support.fake_rspamd import FakeRspamd, Scanned

PORT = 11333
"""Where rspamd listens if it is not told otherwise."""
_GTUBE = "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
PATTERNS: Mapping[str, str] = {
    "reject": f"X{_GTUBE}",
    "add header": f"Y{_GTUBE}",
    "rewrite subject": f"Z{_GTUBE}",
}
"""Lines of a message, and the action that rspamd asks for then (rspamd's ``message.c``)."""
SUBJECT = "*** SPAM *** told so"
REFUSAL = "Gtube pattern"
MILTER = {"add_headers": {"X-Spamd-Bar": {"value": "++", "order": 0}}}


class RspamdStandIn(FakeRspamd):
    """``with RspamdStandIn() as rspamd:`` runs it; ``rspamd.scanned`` are the requests."""

    def __init__(self, port: int = PORT) -> None:
        super().__init__(_verdict, at=("127.0.0.1", port))


def _verdict(request: Scanned) -> dict[str, Any]:
    body = request.body.decode("utf-8", "replace")
    action = next((each for each, pattern in PATTERNS.items() if pattern in body), "no action")
    said: dict[str, Any] = {"action": action, "required_score": 15.0, "milter": MILTER}
    if action == "no action":
        return said | {"score": 1.0}
    said |= {"score": 8.2, "symbols": {"GTUBE": {"score": 0.0}}}
    if action == "reject":
        said["messages"] = {"smtp_message": REFUSAL}
    if action == "rewrite subject":
        said["subject"] = SUBJECT
    return said


def spam(action: str) -> str:
    """Return the front of a message that rspamd has this action for."""
    return f"X-Spam: no\r\nSubject: told so\r\n\r\n{PATTERNS[action]}\r\n"
