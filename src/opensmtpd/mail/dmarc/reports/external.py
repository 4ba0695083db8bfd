"""Whether an address of another domain wants the reports (RFC 9990 section 4).

Without the consent of its domain, anybody could have reports sent to anybody.
"""

from collections.abc import Sequence
from typing import NamedTuple

from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType
from opensmtpd.dns.names import is_query_name
from opensmtpd.mail.dmarc.reports.uris import Destination, destinations


class Consent(NamedTuple):
    """Where reports for one destination go."""

    asked: Destination
    """The destination in the policy record."""
    given: tuple[Destination, ...]
    """Where they go in its place: mostly there, nowhere without consent."""
    later: bool = False
    """True where the DNS did not tell: to be asked again later."""
    reason: str = ""
    """Why they do not go there; empty where they do."""


def consents(domain: str, asked: Sequence[Destination]) -> Lookup[list[Consent]]:
    """Return for each destination whether the reports about a policy domain may go there.

    A host of the policy domain, or below it, needs no consent.
    """
    foreign = {
        each.host: Question(f"{domain}._report._dmarc.{each.host}", RecordType.TXT)
        for each in asked
        if each.host != domain and not each.host.endswith(f".{domain}")
    }
    askable = [question for question in foreign.values() if is_query_name(question.name)]
    replies = dict(zip(askable, (yield askable), strict=True)) if askable else {}
    found = []
    for each in asked:
        question = foreign.get(each.host)
        if question is None:
            found.append(Consent(each, (each,)))
        elif question not in replies:
            found.append(Consent(each, (), reason="its name is too long to be asked for consent"))
        else:
            found.append(_consent(each, replies[question]))
    return found


def _consent(asked: Destination, reply: object) -> Consent:
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
