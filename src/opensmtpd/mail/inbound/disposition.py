"""Decide about a message: the policies of domains, the administrator's, and the exceptions."""

from collections.abc import Iterator
from typing import NamedTuple

from opensmtpd.mail.authres.read import read
from opensmtpd.mail.dmarc.author import TOO_LARGE
from opensmtpd.mail.dmarc.reports.record import OverrideReason
from opensmtpd.mail.inbound.findings import Findings
from opensmtpd.mail.inbound.policies import POLICIES, covers, policy_for
from opensmtpd.mail.inbound.rules import InboundRules


class Disposition(NamedTuple):
    """The action for a message, and its reason."""

    action: str
    """One of ``policies.POLICIES``."""
    asked: str
    """The action that DMARC or our own policy asks for after all exceptions, done or not."""
    reason: str = ""
    """Text for people where the message is not as it should be, printable ASCII."""
    reply: str = ""
    """The text of the refusal, behind ``550``, where the action is ``"reject"``."""
    overrides: tuple[OverrideReason, ...] = ()
    """Why something else is done than the domain has published."""


class _Wish(NamedTuple):
    """An action that a rule wants."""

    action: str
    reason: str
    reply: str


def dispose(found: Findings, rules: InboundRules) -> Disposition:
    """Return what is done with a message. What the DNS did not tell is never held against it."""
    asked, overrides = _policy(found, rules)
    wishes = list(_wishes(found, rules))
    if asked != "none":
        domain = found.dmarc.domain
        reason = f"DMARC policy of {domain}: {asked}"
        reply = f"5.7.1 Message refused by the DMARC policy for {domain}"
        wishes.append(_Wish(asked if rules.enforce else "none", reason, reply))
    if not wishes:
        return Disposition("none", asked, _failure(found, asked), "", tuple(overrides))
    exception = _exception(found, rules)
    if exception is not None:
        reason = max(wishes, key=_strength).reason
        return Disposition("none", "none", reason, "", (*overrides, exception))
    action, reason, reply = max(wishes, key=_strength)
    return Disposition(action, asked, reason, reply if action == "reject" else "", tuple(overrides))


def _strength(wish: _Wish) -> int:
    return POLICIES.index(wish.action)


def _policy(found: Findings, rules: InboundRules) -> tuple[str, list[OverrideReason]]:
    """Return what the policy of the author domain asks for, ours where there is one."""
    dmarc = found.dmarc
    own = policy_for(dmarc.domain, rules.policies)
    if own is not None and (dmarc.result == "fail" or _has_no_policy(found)):
        return own, [OverrideReason("local_policy", f"own policy for {dmarc.domain}: {own}")]
    if dmarc.result != "fail":
        return "none", []
    test = dmarc.disposition != dmarc.policy
    return dmarc.disposition, [OverrideReason("policy_test_mode", "t=y")] if test else []


def _failure(found: Findings, asked: str) -> str:
    """Return why DMARC failed where nobody asks for anything."""
    return f"DMARC fails for {found.dmarc.domain}" if found.dmarc.result == "fail" else ""


def _wishes(found: Findings, rules: InboundRules) -> Iterator[_Wish]:
    """Yield what the From field alone makes the administrator want."""
    domains = found.authors.domains
    if found.authors.fault == TOO_LARGE and (rules.enforce or rules.protected):
        # Nobody knows whose it is: it may be anybody's.
        yield _Wish("reject", TOO_LARGE, f"5.7.1 Message refused: {TOO_LARGE}")
        return
    if not domains and rules.no_author != "none":
        yield _Wish(
            rules.no_author,
            found.authors.fault,
            "5.7.1 Message refused: its From field has no author",
        )
    if domains and found.authors.fault and rules.several_authors != "none":
        reply = "5.7.1 Message refused: its From field does not name one author"
        yield _Wish(rules.several_authors, found.authors.fault, reply)
    for domain in domains:
        if covers(rules.protected, domain) and not _is_ours(found, rules, domain):
            reply = f"5.7.1 Message refused: authenticate to send mail from {domain}"
            yield _Wish("reject", f"{domain} is ours, and the message is not", reply)
            return


def _has_no_policy(found: Findings) -> bool:
    """Return whether the author's domain has no DMARC record, and nothing speaks for it.

    DMARC compares nothing then, and there are no organizational domains: a check speaks for the
    author whose domain is the author's, or one below or above it.
    """
    author = found.dmarc.domain
    if found.dmarc.result != "none" or not author:
        return False
    return not any(covers({author}, each) or covers({each}, author) for each in _speakers(found))


def _is_ours(found: Findings, rules: InboundRules, author: str) -> bool:
    """Return whether a message is authenticated as a protected domain's, or may be."""
    mine = {each for each in rules.protected if covers({each}, author)}
    return any(covers(mine, each) for each in _speakers(found))


def _speakers(found: Findings) -> Iterator[str]:
    """Yield the domains that a check speaks for, or may: the DNS did not tell."""
    checks = [(each.result, each.domain) for each in found.dkim if not each.partial]
    for result, domain in [*checks, found.spf.sender[:2]]:
        if result in ("pass", "temperror") and "." in domain:
            yield domain


def _exception(found: Findings, rules: InboundRules) -> OverrideReason | None:
    """Return why nothing is done although a rule wants it."""
    if found.client in rules.forwarders:
        return OverrideReason("trusted_forwarder", "listed forwarder")
    arc = found.arc
    if found.authors.fault or arc.partial or not arc.covers_from:
        return None  # it is not known that the sealer saw this author and this body
    if arc.result != "pass" or not arc.sealers or arc.sealers[0] not in rules.sealers:
        return None
    if _says_fail(arc.aar):  # its DMARC failed before the sealer touched it
        return None
    return OverrideReason("local_policy", f"arc=pass as[{arc.instance}].d={arc.sealers[0]}")


def _says_fail(aar: bytes) -> bool:
    """Return whether the results in an ARC-Authentication-Results field say ``dmarc=fail``."""
    _, _, value = aar.partition(b";")  # behind the instance (RFC 8617 section 4.1.1)
    results = read(value)
    return results is None or any(
        each.method == "dmarc" and each.result == "fail" for each in results.results
    )
