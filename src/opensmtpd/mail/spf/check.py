"""The check of a client against the SPF record of a domain (RFC 7208 section 4)."""

import time
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import NamedTuple, TypeVar

from opensmtpd.dns import Failed, Lookup, Question, Reply
from opensmtpd.dns.lookup import Soon
from opensmtpd.dns.names import is_query_name
from opensmtpd.mail.client import IPAddress
from opensmtpd.mail.policy.action import harmless
from opensmtpd.mail.spf.macros import MacroFacts, lowered
from opensmtpd.mail.spf.page import SpfPage
from opensmtpd.mail.spf.walk import RecordWalk

T = TypeVar("T")

REASON_MAX = 200
EXPLANATION_MAX = 400
"""Characters. A reply of SMTP has 512 octets at most (RFC 5321 section 4.5.3.1.5)."""
AHEAD_MAX = 100
"""Questions of a check from which none is asked ahead: a hostile domain must not multiply them."""
FACT_MAX = 255
"""Octets of a local part, a name, and others that macros stand for: no name has more."""


class SpfResult(NamedTuple):
    """The result of a check. All text is printable ASCII, one line."""

    result: str
    """"none", "neutral", "pass", "fail", "softfail", "temperror" or "permerror" (section 2.6)."""
    domain: str
    """The domain whose record was judged."""
    reason: str = ""
    """Why there is a "temperror" or "permerror", at most 200 characters."""
    explanation: str = ""
    """The text that the domain has for a "fail", at most 400 characters; empty for none."""
    mechanism: str = ""
    """The term that matched, as the record has it, "default" where none did."""


def check_host(
    address: IPAddress,
    domain: str,
    sender: str,
    helo: str,
    *,
    receiver: str = "unknown",
    timestamp: int | None = None,
) -> Lookup[SpfResult]:
    """Return whether a client may use a domain (section 4.1).

    ``domain`` and ``sender`` are those of ``identity``; ``helo`` is the client's name, for macros,
    as are ``receiver``, our own name, and ``timestamp``, now in seconds since 1970.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # section 5
    local, _, origin = _octets(sender).rpartition("@")
    now = int(time.time()) if timestamp is None else timestamp
    facts = MacroFacts(
        address,
        (local or "postmaster")[:FACT_MAX],
        origin[:FACT_MAX],
        _octets(helo)[:FACT_MAX],
        _octets(receiver)[:FACT_MAX],
        now,
    )
    domain = lowered(_octets(domain)).removesuffix(".")
    if "." not in domain or not is_query_name(domain):
        return SpfResult("none", harmless(domain[:FACT_MAX]))
    known: dict[Question, Reply] = {}
    late: set[Question] = set()
    pages: dict[str, SpfPage | ValueError | None] = {}

    def walks(step: Callable[[RecordWalk], T]) -> Lookup[T]:
        """Walk until no reply is missing, and return what the last walk found."""
        while True:
            walk = RecordWalk(facts, known, pages)
            found = step(walk)
            if not walk.missing:
                return found
            needed = walk.needed or len(walk.missing)
            ahead = len(known) + len(late) < AHEAD_MAX
            known.update((yield from _ask([*walk.missing], needed, ahead, late)))

    outcome = yield from walks(lambda walk: walk.check(domain))
    explanation = ""
    page = outcome.page
    if outcome.result == "fail" and page is not None and page.explanation:
        explanation = yield from walks(lambda walk: walk.explain(page))
    return SpfResult(
        outcome.result,
        domain,
        harmless(outcome.reason[:REASON_MAX]),
        harmless(explanation[:EXPLANATION_MAX]),
        harmless(outcome.mechanism[:REASON_MAX]),
    )


def _ask(
    missing: list[Question], needed: int, ahead: bool, late: set[Question]
) -> Lookup[dict[Question, Reply]]:
    """Ask for what a walk misses, and return the replies.

    The first ``needed`` questions are certainly looked at; the others only where ``ahead``. These
    must not use up the time of the check: a slow answer to one, or a failure, is not waited for
    before the walk needs it. ``late`` has these questions.
    """
    if needed == len(missing) or not ahead or missing[0] in late:
        asked = missing[:needed]
        replies = yield asked
        return dict(zip(asked, replies, strict=True))
    soon = Soon(question for question in missing if question not in late)
    replies = yield soon
    found: dict[Question, Reply] = dict(zip(soon, replies, strict=True))
    late.update(question for question, reply in found.items() if isinstance(reply, Failed))
    return {question: reply for question, reply in found.items() if question not in late}


def _octets(text: str) -> str:
    """Return a text whose characters are octets, for it may come from others than ``identity``."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("latin-1")
