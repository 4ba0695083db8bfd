"""The data that is kept of one judged message: plain tuples, with the fields of RFC 9990.

All texts but those of ``OverrideReason.type`` come from strangers. ``checked`` makes them harmless:
printable ASCII, and bounded. A message's content is never among them.
"""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from opensmtpd.dns.names import is_query_name

NAME_MAX = 255
"""Characters of a domain, a selector, or an address."""
COMMENT_MAX = 200
"""Characters of a comment."""
RUA_MAX = 4000
"""Characters of a list of URIs, whole ones only."""
SIGNATURES_MAX = 100
"""Signatures in a record (RFC 9990 section 3.1.4)."""
REASONS_MAX = 10

POLICIES = frozenset(["none", "quarantine", "reject"])
DISPOSITIONS = POLICIES | {"pass"}
"""The actions: ``"pass"`` for a message that has passed, ``"none"`` where nothing was done."""
METHODS = frozenset(["treewalk", "psl"])
REASONS = frozenset(
    ["local_policy", "mailing_list", "other", "policy_test_mode", "trusted_forwarder"]
)
ALIGNED = frozenset(["pass", "fail"])
DKIM = frozenset(["none", "pass", "fail", "policy", "neutral", "temperror", "permerror"])
SPF = DKIM | {"softfail"}


class PublishedPolicy(NamedTuple):
    """The policy that a domain has published; a tag that is missing has its default, or ``""``."""

    domain: str
    """The policy domain: where the record was found."""
    p: str
    sp: str = ""
    np: str = ""
    adkim: str = "r"
    aspf: str = "r"
    fo: str = "0"
    t: str = "n"
    method: str = "treewalk"
    """The method that found it: ``"treewalk"`` or ``"psl"``."""


class OverrideReason(NamedTuple):
    """Why something else was done than the policy says: one of REASONS, and words for people."""

    type: str
    comment: str = ""


class SignatureOutcome(NamedTuple):
    """The result of one DKIM signature (RFC 8601 section 2.7.1), aligned or not."""

    domain: str
    selector: str
    result: str


class SpfOutcome(NamedTuple):
    """The result of SPF (RFC 8601 section 2.7.2) for a domain, aligned or not."""

    domain: str
    result: str
    scope: str = "mfrom"
    """``"mfrom"``; in reports of others, ``"helo"`` too (RFC 7489)."""


class MessageResults(NamedTuple):
    """The results of a message: messages of a day that are equal in all of them are one row."""

    source: str
    """The address of the client."""
    disposition: str
    dkim: str
    """``"pass"`` where a signature passes and is aligned, else ``"fail"``."""
    spf: str
    """``"pass"`` where SPF passes for MAIL FROM and is aligned, else ``"fail"``."""
    header_from: str
    """The author domain."""
    envelope_from: str = ""
    """The domain of MAIL FROM; empty for a bounce."""
    envelope_to: str = ""
    """The domain of a recipient; empty where it is not told."""
    reasons: tuple[OverrideReason, ...] = ()
    signatures: tuple[SignatureOutcome, ...] = ()
    """Best first: see ``best_first``."""
    spf_results: tuple[SpfOutcome, ...] = ()


class JudgedMessage(NamedTuple):
    """A message that was judged by a policy whose owner wants reports."""

    time: int
    """When it was judged, in seconds since 1970, UTC."""
    policy: PublishedPolicy
    rua: str
    """The value of the tag ``rua`` of the policy record."""
    results: MessageResults


def best_first(
    outcomes: Iterable[SignatureOutcome], author: str, aligned: Collection[str]
) -> tuple[SignatureOutcome, ...]:
    """Return the signatures to report, in the order of RFC 9990 section 3.1.4, 100 at most.

    ``author`` is the author domain, ``aligned`` the domains in relaxed alignment with it.
    """

    def rank(outcome: SignatureOutcome) -> int:
        if outcome.result != "pass":
            return 3
        return 0 if outcome.domain == author else 1 if outcome.domain in aligned else 2

    return tuple(sorted(outcomes, key=rank)[:SIGNATURES_MAX])


def checked(data: Any) -> JudgedMessage:
    """Return the message in plain data, lists or tuples, with all texts made harmless.

    Raises ValueError for anything else: it would make a report that nobody can read.
    """
    try:
        time, policy, rua, results = data
        return JudgedMessage(
            _time(time), published_policy(*policy), _uris(rua), message_results(*results)
        )
    except (TypeError, KeyError):
        raise ValueError("no data of a judged message") from None


def harmless(text: str, limit: int = NAME_MAX) -> str:
    """Return text in printable ASCII, a ``?`` for each other character, cut at a limit."""
    if not isinstance(text, str):
        raise ValueError("no text")
    return "".join(c if " " <= c <= "~" else "?" for c in text[:limit])


def published_policy(domain: str, p: str, sp: str, np: str, *rest: str) -> PublishedPolicy:
    """Return the policy of these fields. Raises ValueError, TypeError."""
    adkim, aspf, fo, t, method = rest
    for tag in (sp, np):
        _among(tag, POLICIES | {""})
    if not is_query_name(harmless(domain)):  # it stands in the name of a file, and in a Subject
        raise ValueError("a policy domain that is no name of a host")
    return PublishedPolicy(
        domain.lower(),
        _among(p, POLICIES),
        sp,
        np,
        _among(adkim, ("r", "s")),
        _among(aspf, ("r", "s")),
        harmless(fo, 20),
        _among(t, ("y", "n")),
        _among(method, METHODS),
    )


def message_results(
    source: str,
    disposition: str,
    dkim: str,
    spf: str,
    header_from: str,
    envelope_from: str,
    envelope_to: str,
    *lists: Any,
) -> MessageResults:
    """Return the results of these fields. Raises ValueError, TypeError, KeyError."""
    reasons, signatures, spf_results = lists
    return MessageResults(
        harmless(source),
        _among(disposition, DISPOSITIONS),
        _among(dkim, ALIGNED),
        _among(spf, ALIGNED),
        harmless(header_from),
        harmless(envelope_from),
        harmless(envelope_to),
        tuple(_reason(*each) for each in reasons[:REASONS_MAX]),
        tuple(_signature(*each) for each in signatures[:SIGNATURES_MAX]),
        tuple(_spf(*each) for each in spf_results[:1]),
    )


def _reason(type: str, comment: str) -> OverrideReason:
    return OverrideReason(_among(type, REASONS), harmless(comment, COMMENT_MAX))


def _signature(domain: str, selector: str, result: str) -> SignatureOutcome:
    return SignatureOutcome(harmless(domain), harmless(selector), _among(result, DKIM))


def _spf(domain: str, result: str, scope: str) -> SpfOutcome:
    return SpfOutcome(harmless(domain), _among(result, SPF), _among(scope, ("mfrom",)))


def _time(time: int) -> int:
    if type(time) is not int or not 0 <= time < 1 << 40:
        raise ValueError("no time")
    return time


def _among(word: str, words: Collection[str]) -> str:
    if not isinstance(word, str) or word not in words:
        raise ValueError(f"{harmless(str(word), 20)!r} is none of {' '.join(sorted(words))}")
    return word


def _uris(rua: str) -> str:
    """Return as many of the URIs, from the first on, as there is room for."""
    if not isinstance(rua, str):
        raise ValueError("no text")
    if len(rua) > RUA_MAX:
        rua = rua[: rua.rfind(",", 0, RUA_MAX) + 1]
    return harmless(rua, RUA_MAX)
