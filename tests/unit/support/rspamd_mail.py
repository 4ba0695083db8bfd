"""A message through filter-rspamd, in front of a server that a test has made."""

from typing import Any

from opensmtpd.mail.rspamd.verdict import RspamdVerdict
from opensmtpd.testing import Outcome, run_message
from opensmtpd_filters.rspamd import Rspamd, parser
from unit.support.fake_rspamd import HAM, FakeRspamd

MESSAGE = b"From: bob@remote.example\nSubject: hello\n\ntext\n..dots\n"
TEMPFAIL = b"451 4.7.1 The message cannot be scanned now, please try again later"
NEW_SESSION = "9e3779b97f4a7c15 "
"""The model's first session, in front of a line of the log."""


def make(*urls: str, line: str = "--timeout 20") -> Rspamd:
    """Return the filter with a worker of its own."""
    words = [word for url in urls for word in ("-url", url)]
    return Rspamd(parser().parse_args([*words, *line.split()]))


def send(
    answer: Any = HAM, message: bytes = MESSAGE, line: str = "--timeout 20", **client: Any
) -> Outcome:
    """Return the fate of a message about which rspamd says ``answer``."""
    with FakeRspamd(answer) as server:
        filter = make(server.url, line=line)
        try:
            return run_message(filter, message, **client)
        finally:
            filter.stop()


def front(outcome: Outcome) -> bytes:
    """Return the lines above smtpd's own."""
    return outcome.message.partition(outcome.received)[0]


def below(outcome: Outcome) -> bytes:
    """Return the lines below smtpd's own."""
    return outcome.message.partition(outcome.received)[2]


def decided(outcome: Outcome) -> bytes:
    """Return the decision about the whole message."""
    return dict(outcome.decisions)["commit"]


def verdict(action: str = "no action", **values: Any) -> RspamdVerdict:
    """Return a verdict that wants nothing else."""
    nothing: dict[str, Any] = {
        "score": 0.0,
        "required": 15.0,
        "reply": "",
        "subject": None,
        "signatures": [],
        "symbols": [],
        "removed": [],
        "added": [],
        "left_out": [],
        "spam": [],
        "harmless": False,
        "quarantine": False,
        "impossible": [],
    }
    return RspamdVerdict(action, **{**nothing, **values})
