"""The score of an address at senderscore.org, which the DNS tells as the last number of another."""

import time
from collections.abc import Callable
from ipaddress import IPv4Address

from opensmtpd.dns import Found, Lookup, Question, RecordType
from opensmtpd.dns.names import reversed_labels
from opensmtpd.log import log

ZONE = "score.senderscore.com"
SCORE_MAX = 100
QUIET = 3600.0
"""Seconds between two log lines about answers that are no scores."""


class Reputation:
    """The service that has the scores."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until = 0.0

    def score(self, address: IPv4Address) -> Lookup[int | None]:
        """Return a score, 0 to 100; None where there is none, or the DNS does not tell.

        A number above 100 is no score: 127.255.255.255 says that the name server that asks is not
        registered, or asks too often.
        """
        [reply] = yield [Question(f"{reversed_labels(address)}.{ZONE}", RecordType.A)]
        if not isinstance(reply, Found):
            return None
        found = {_score(record) for record in reply.records}
        if len(found) == 1 and None not in found:
            return found.pop()
        self._tell(",".join(reply.records))
        return None

    def _tell(self, answer: str) -> None:
        """Log an answer that is no score, and no other for an hour: it is the same for all."""
        if self._clock() >= self._quiet_until:
            log("senderscore-refused", answer=answer)
            self._quiet_until = self._clock() + QUIET


def _score(record: str) -> int | None:
    first, second, _, last = record.split(".")
    return int(last) if (first, second) == ("127", "0") and int(last) <= SCORE_MAX else None
