"""Ask the DNS for the consent of other domains to get reports (RFC 9990 section 4).

Without the consent of its domain, anybody could have reports sent to anybody.
"""

from collections.abc import Sequence
from typing import NamedTuple

from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType
from opensmtpd.dns.names import is_query_name
from opensmtpd.mail.dmarc import walk
from opensmtpd.mail.dmarc.reports.uris import ReportAddress, destinations


class Consent(NamedTuple):
    """Where reports for one destination go."""

    asked: ReportAddress
    """The destination in the policy record."""
    given: tuple[ReportAddress, ...]
    """Where they go in its place: mostly there, nowhere without consent."""
    later: bool = False
    """True where the DNS did not tell: to be asked again later."""
    reason: str = ""
    """Why they do not go there; empty where they do."""


def consents(domain: str, asked: Sequence[ReportAddress]) -> Lookup[list[Consent]]:
    """Return for each destination whether the reports about a policy domain may go there.

    A host needs no consent that has the organizational domain of the policy domain. All is asked
    for in one round.
    """
    if not asked:
        return []
    hosts = dict.fromkeys(each.host for each in asked)
    agreements = {host: _agreement(domain, host) for host in hosts}
    walks = {name: walk.names(name) for name in (domain, *hosts)}
    questions = [question for names in walks.values() for question in walk.questions(names)]
    questions += [each for each in agreements.values() if each is not None]
    questions = list(dict.fromkeys(questions))
    replies = dict(zip(questions, (yield questions), strict=True))
    answers = {question: walk.only_record(reply) for question, reply in replies.items()}
    organization = {
        name: walk.follow(names, answers).organizational() for name, names in walks.items()
    }
    found = []
    for each in asked:
        question, theirs = agreements[each.host], organization[each.host]
        if each.host == domain or (theirs is not None and theirs == organization[domain]):
            found.append(Consent(each, (each,)))
        elif question is None:
            found.append(Consent(each, (), reason="its name is too long to be asked for consent"))
        else:
            consent = _consent(each, replies[question])
            if not consent.given and None in (theirs, organization[domain]):
                reason = "the DNS did not tell whose it is"
                consent = Consent(each, (), later=True, reason=reason)
            found.append(consent)
    return found


def _agreement(domain: str, host: str) -> Question | None:
    """Return the question whether a host agrees; None for a name that is too long."""
    name = f"{domain}._report._dmarc.{host}"
    return Question(name, RecordType.TXT) if is_query_name(name) else None


def _consent(asked: ReportAddress, reply: object) -> Consent:
    if isinstance(reply, Failed):
        return Consent(asked, (), later=True, reason=f"the DNS did not tell: {reply.reason}")
    records = reply.records if isinstance(reply, Found) else ()
    valid = [tags for tags in map(_tags, records) if tags is not None]
    if not valid:
        return Consent(asked, (), reason=f"{asked.host} has not agreed to it")
    overriding = [tags["rua"] for tags in valid if "rua" in tags]
    if not overriding:
        return Consent(asked, (asked,))
    given = destinations(overriding[0])
    if not given or any(each.host != asked.host for each in given):
        return Consent(asked, (), reason=f"{asked.host} names another host in its place")
    return Consent(asked, tuple(given))


def _tags(record: str) -> dict[str, str] | None:
    """Return the tags of a record that begins with v=DMARC1; None for any other text."""
    pairs = [part.partition("=") for part in record.split(";") if part.strip(" \t")]
    tags = {name.strip(" \t"): value.strip(" \t") for name, _, value in reversed(pairs)}
    first = pairs[0][0].strip(" \t") if pairs else ""
    good = first == "v" and tags["v"] == "DMARC1" and all(equals for _, equals, _ in pairs)
    return tags if good else None
