"""Policies of a domain in the DNS: DMARC (RFC 9989), MTA-STS (RFC 8461), TLS-RPT (RFC 8460)."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType, Reply
from opensmtpd.dns.names import is_wire_name
from opensmtpd.mail.dmarc import record, walk
from opensmtpd_cli.dnsrecords import hosts

_BLANKS = " \t\r\n"
_STS_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_ACTIONS = ("none", "quarantine", "reject")


class PolicyRecord(NamedTuple):
    """The record of a policy."""

    name: str
    """Where it is, or where it would be."""
    text: str = ""
    """The first text that is meant as one; "" where there is none."""
    fault: str = ""
    """Why it does not count; "" where it does."""
    unknown: str = ""
    """Why the DNS did not tell; "" where it did."""


def dmarc(domain: str) -> Lookup[PolicyRecord]:
    """Ask for the record that counts for a domain: its own, or that of a domain above."""
    names = walk.names(domain.lower())
    questions = walk.questions(names)
    replies = yield questions
    own = PolicyRecord(f"_dmarc.{domain.lower()}")
    for question, reply in zip(questions, replies, strict=True):
        if isinstance(reply, Failed):
            return PolicyRecord(question.name, unknown=reply.reason)
        texts = _meant(reply, "v=dmarc")
        if texts:
            return PolicyRecord(question.name, texts[0], _several(texts) or _dmarc_fault(texts[0]))
    return own


def mta_sts(domain: str) -> Lookup[PolicyRecord]:
    """Ask for the record of MTA-STS, and where there is one, for the host of its policy."""
    found = yield from _single(f"_mta-sts.{domain.lower()}", "v=STSv1")
    if not found.text or found.fault:
        return found
    tags = _tags(found.text)
    if not _STS_ID.fullmatch(tags.get("id", "")):
        return found._replace(fault="its id= is missing, or not of 1 to 32 letters and digits")
    host = f"mta-sts.{domain.lower()}"
    known = yield from hosts.addresses(host)
    if not known.found and not known.unknown:
        return found._replace(fault=f"{host}, which has the policy, has no address")
    return found


def tls_rpt(domain: str) -> Lookup[PolicyRecord]:
    """Ask for the record that says who gets reports about TLS."""
    found = yield from _single(f"_smtp._tls.{domain.lower()}", "v=TLSRPTv1")
    if not found.text or found.fault:
        return found
    uris = [each.strip(_BLANKS) for each in _tags(found.text).get("rua", "").split(",")]
    wrong = [each for each in uris if not each.lower().startswith(("mailto:", "https:"))]
    if wrong:
        return found._replace(fault="its rua= is no list of mailto: and https: addresses")
    return found


def _single(name: str, version: str) -> Lookup[PolicyRecord]:
    if not is_wire_name(name):
        return PolicyRecord(name)
    [reply] = yield [Question(name, RecordType.TXT)]
    if isinstance(reply, Failed):
        return PolicyRecord(name, unknown=reply.reason)
    texts = _meant(reply, version.lower())
    if not texts:
        return PolicyRecord(name)
    fault = _several(texts)
    if not fault and not re.match(re.escape(version) + r"[ \t]*;", texts[0]):
        fault = f"it does not begin with {version};"
    return PolicyRecord(name, texts[0], fault)


def _meant(reply: Reply, version: str) -> list[str]:
    """Return the texts that are meant as records, good or bad."""
    texts = reply.records if isinstance(reply, Found) else ()
    return [text for text in texts if text[:50].replace(" ", "").lower().startswith(version)]


def _several(texts: Sequence[str]) -> str:
    return f"there are {len(texts)} such records, which count as none" if len(texts) > 1 else ""


def _tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for spec in text.split(";"):
        name, _, value = spec.partition("=")
        tags.setdefault(name.strip(_BLANKS).lower(), value.strip(_BLANKS))
    return tags


def _dmarc_fault(text: str) -> str:
    if not record.is_record(text):
        return "it does not begin with v=DMARC1;"
    tags = _tags(text)
    parsed = record.parse(text)
    if "p" not in tags and not (parsed and parsed.rua):  # with rua, it is as p=none
        return "it has neither p= nor rua="
    for name in ("p", "sp", "np"):
        if name in tags and tags[name].lower() not in _ACTIONS:
            return f"its {name}= is none of {', '.join(_ACTIONS)}"
    for name in ("rua", "ruf"):
        uris = [each.partition("!")[0].strip(_BLANKS) for each in tags.get(name, "").split(",")]
        if name in tags and not all(map(_URI.fullmatch, uris)):
            return f"its {name}= is no list of addresses with mailto: in front of each"
    return ""
