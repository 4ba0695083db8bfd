"""The judgement (RFC 9989 sections 4.4, 4.10 and 5.3): alignment, policy, result. No I/O::

    dns.start(prefetch(domain, signers, spf.domain))  # while the body arrives
    result = yield from evaluate(authors(header), spf, signatures)

A question that was not answered makes a temperror only where its answer could change the result.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from opensmtpd.dns import Absent, Failed, Lookup, Question, RecordType, Reply
from opensmtpd.dns.names import NAME_MAX, is_wire_name
from opensmtpd.mail.dmarc import walk
from opensmtpd.mail.dmarc.author import Authors
from opensmtpd.mail.dmarc.record import Record

Organizational: TypeAlias = Callable[[str], str]
"""A function that returns the organizational domain of a name, by a list of public suffixes."""

SIGNATURES_MAX = 50
"""Signatures that passed, or that the DNS kept from it, of one message; no more count."""

_MILDER = {"reject": "quarantine", "quarantine": "none", "none": "none"}


class Checked(Protocol):
    """The result of SPF, for the identity MAIL FROM only (RFC 9989 section 4.4.2)."""

    @property
    def result(self) -> str:
        """``"pass"``, ``"temperror"`` or another result, which is as good as none."""

    @property
    def domain(self) -> str:
        """The domain that was checked, as A-labels."""


class Signed(Checked, Protocol):
    """The result of a DKIM signature."""

    @property
    def partial(self) -> bool:
        """True where a part of the body is not signed: then it speaks for no author."""


class DmarcResult(NamedTuple):
    """The judgement of a message by the policy of the author's domain."""

    result: str
    """``"pass"``, ``"fail"``, ``"none"``, ``"temperror"`` or ``"permerror"``."""
    domain: str = ""
    """The author's domain; "" where it is not clear."""
    policy_domain: str = ""
    """The domain whose record applies."""
    record: Record | None = None
    policy: str = "none"
    """``"none"``, ``"quarantine"`` or ``"reject"``: the one of p, sp and np that applies."""
    disposition: str = "none"
    """The action that the owner asks for: the policy, or a milder one with t=y."""
    dkim_aligned: bool = False
    """True where a signature passed whose domain is aligned."""
    spf_aligned: bool = False
    method: str = "treewalk"
    """The method that found the organizational domain: ``"treewalk"`` or ``"psl"``."""
    reason: str = ""
    """Why there is no pass or fail."""
    org_domain: str = ""
    """The organizational domain of the author's domain."""


def prefetch(author: str, signers: Sequence[str], spf_domain: str) -> list[Question]:
    """Return the questions that ``evaluate`` will most likely ask, in one round.

    ``signers`` are the domains of signatures; "" stands for an unknown domain.
    """
    others = [each.lower() for each in (*signers[:SIGNATURES_MAX], spf_domain)]
    near = [each for each in others if _near(each, author)]
    names = [name for each in (author, *near) for name in walk.names(each)]
    return walk.questions(list(dict.fromkeys(names)))


def evaluate(
    authors: Authors, spf: Checked, dkim: Sequence[Signed], psl: Organizational | None = None
) -> Lookup[DmarcResult]:
    """Judge a message by the results of SPF for MAIL FROM and of its signatures.

    With ``psl``, records and alignment are found by that list, as RFC 7489 did. A From field that
    has a fault is judged where it has one domain, but it never passes.
    """
    if len(authors.domains) != 1:
        return DmarcResult("none", reason=authors.fault)
    domain = authors.domains[0]
    if domain.startswith("["):
        return DmarcResult("none", domain, reason="the author has no domain name")
    judge = _Judge(domain, psl)
    signed = [each for each in dkim if _may_align(each) and not each.partial]
    result = yield from judge.result(spf, signed[:SIGNATURES_MAX])
    if authors.fault and result.result == "pass":
        return result._replace(result="permerror", reason=authors.fault)
    return result


class _Judge:
    """The evaluation for one author's domain."""

    def __init__(self, author: str, psl: Organizational | None) -> None:
        self._author = author
        self._psl = psl
        self._answers: dict[Question, walk.OnlyRecord] = {}

    def result(self, spf: Checked, dkim: Sequence[Signed]) -> Lookup[DmarcResult]:
        """Return the result for the identifiers of a message."""
        useful = dict.fromkeys(each.domain.lower() for each in (spf, *dkim) if _may_align(each))
        yield from self._ask(self._author, *(each for each in useful if _near(each, self._author)))
        found = walk.follow(self._names(self._author), self._answers)
        org = self._psl(self._author) if self._psl else found.organizational()
        basis = DmarcResult(
            "none",
            self._author,
            method="psl" if self._psl else "treewalk",
            org_domain=org or self._author,
        )
        policy_domain = self._policy_domain(found, org)
        if policy_domain is None:
            if found.broken:
                return basis._replace(result="temperror", reason="no answer about a policy record")
            return basis._replace(reason="no policy record")
        record = found.records[policy_domain]
        basis = basis._replace(policy_domain=policy_domain, record=record)
        if not record.p:
            return basis._replace(reason="the policy record is not valid")
        # Where the organizational domain has one label, these are more than those asked already.
        yield from self._ask(*(each for each in useful if org and _below(each, org)))
        exists = yield from self._exists(policy_domain, record)
        by_dkim = [self._aligned(each, record.adkim == "s", org) for each in dkim]
        by_spf = self._aligned(spf, record.aspf == "s", org)
        basis = basis._replace(
            policy=self._policy(policy_domain, record, exists),
            dkim_aligned=True in by_dkim,
            spf_aligned=by_spf is True,
        )
        return _concluded(basis, record, None not in (*by_dkim, by_spf), exists is not None)

    def _names(self, domain: str) -> list[str]:
        """Return the domains whose records tell about this one."""
        if self._psl is None:
            return walk.names(domain)
        return list(dict.fromkeys((domain, self._psl(domain)))) if domain == self._author else []

    def _ask(self, *domains: str) -> Lookup[None]:
        """Ask for all records that tell about these domains, where they are not known."""
        names = dict.fromkeys(name for domain in domains for name in self._names(domain))
        questions = [each for each in walk.questions(list(names)) if each not in self._answers]
        if questions:
            replies: list[Reply] = yield questions
            self._answers.update(zip(questions, map(walk.only_record, replies), strict=True))

    def _policy_domain(self, found: walk.Walk, org: str | None) -> str | None:
        """Return the domain whose record applies (section 4.10.1), None where there is none.

        A record between the author's domain and the organizational one does not apply.
        """
        for name in (self._author, org):
            if name in found.records:
                return name
        return next((name for name, record in found.records.items() if record.psd == "y"), None)

    def _aligned(self, checked: Checked, strict: bool, org: str | None) -> bool | None:
        """Return whether a check speaks for the author; None where the DNS did not tell."""
        if not _may_align(checked):
            return False
        domain = checked.domain.lower()
        aligned = self._same_organization(domain, strict, org)
        return None if aligned and checked.result == "temperror" else aligned

    def _same_organization(self, domain: str, strict: bool, org: str | None) -> bool | None:
        if strict or domain == self._author:
            return domain == self._author
        if org is None:  # it is the author's domain or one above
            return None if _labels(domain)[-1:] == _labels(self._author)[-1:] else False
        if not _below(domain, org):
            return False
        if self._psl is not None:
            return self._psl(domain) == org
        other = walk.follow(walk.names(domain), self._answers).organizational()
        return None if other is None else other == org

    def _exists(self, policy_domain: str, record: Record) -> Lookup[bool | None]:
        """Return whether the author's domain exists, where np depends on it; None: not known.

        Any reply but NXDOMAIN tells that it does (appendix A.4). TXT is asked for, as SPF has done
        for most of these names.
        """
        if policy_domain == self._author or record.np in ("", record.sp or record.p):
            return True
        if not is_wire_name(self._author):
            return False
        [reply] = yield [Question(self._author, RecordType.TXT)]
        if isinstance(reply, Failed):
            return None
        return not (isinstance(reply, Absent) and reply.nxdomain)

    def _policy(self, policy_domain: str, record: Record, exists: bool | None) -> str:
        if policy_domain == self._author:
            return record.p
        return (record.np if exists is False else "") or record.sp or record.p


def _concluded(basis: DmarcResult, record: Record, checked: bool, exists: bool) -> DmarcResult:
    """Return the result; the last two say whether the DNS told all about checks and author."""
    if basis.dkim_aligned or basis.spf_aligned:
        return basis._replace(result="pass")
    if not checked or not exists:
        what = "the author's domain" if checked else "a check that may be aligned"
        return basis._replace(result="temperror", policy="none", reason=f"no answer about {what}")
    milder = _MILDER[basis.policy] if record.t == "y" else basis.policy
    return basis._replace(result="fail", disposition=milder)


def _may_align(checked: Checked) -> bool:
    return checked.result in ("pass", "temperror") and 0 < len(checked.domain) <= NAME_MAX


def _labels(domain: str) -> list[str]:
    return domain.split(".")


def _near(domain: str, author: str) -> bool:
    """Return whether two names have an organizational domain in common, most likely."""
    related = _labels(domain)[-2:] == _labels(author)[-2:]
    return related and domain != author and len(domain) <= NAME_MAX


def _below(domain: str, org: str) -> bool:
    return domain == org or domain.endswith("." + org)
