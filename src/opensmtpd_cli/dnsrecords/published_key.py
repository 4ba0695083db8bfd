"""Does the DNS have the public half of a key (RFC 6376 sections 3.6 and 6.1.2, RFC 8463)?"""

from base64 import b64encode
from collections.abc import Sequence
from enum import StrEnum
from itertools import islice, permutations
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType
from opensmtpd.dns.names import is_wire_name
from opensmtpd.errors import PermError
from opensmtpd.mail.dkim import record
from opensmtpd.mail.dkim.keys.key import RSA, Key
from opensmtpd.mail.dkim.verify.key_record import PublicKey
from opensmtpd.mail.dkim.verify.tags import compact, tag_list
from opensmtpd_cli.dnsrecords import zone_lines

ADVISED = 2048
"""Bits of an RSA key that signers should use at least (RFC 8301 section 3.2)."""
_RECORDS_MAX = 10
"""Records of a name that are read."""
_PIECES_MAX = 4
"""Records that are tried as the pieces of one: four have 24 orders."""


class KeyState(StrEnum):
    """The state of a key in the DNS."""

    EQUAL = "equal"
    DIFFERENT = "different"
    """There is another key."""
    UNPUBLISHED = "unpublished"
    REVOKED = "revoked"
    """The record says that the key is withdrawn: its p= is empty."""
    UNUSABLE = "unusable"
    """There is a record, but no verifier takes it for a key of this algorithm, for mail."""
    SEVERAL = "several"
    """There are several records: each verifier takes one of them, or none."""
    UNKNOWN = "unknown"
    """The DNS did not tell."""


class KeyVerdict(NamedTuple):
    """The state of one key, and the records that tell it."""

    name: str
    """Of the record."""
    state: KeyState
    fault: str = ""
    """One sentence; "" where the key is equal."""
    remedy: str = ""
    testing: bool = False
    """The key is equal, but its domain tests DKIM (``t=y``): its mail counts as unsigned."""


class _Judged(NamedTuple):
    state: KeyState
    fault: str = ""
    testing: bool = False


def published_key(domain: str, selector: str, key: Key) -> Lookup[KeyVerdict]:
    """Compare a key with its record. Raises ConfigError for a name that the DNS cannot hold."""
    name = record.name(domain, selector).lower()
    [reply] = yield [Question(name, RecordType.TXT)]
    if isinstance(reply, Failed):
        fault = f"the DNS did not tell: {reply.reason}"
        return KeyVerdict(name, KeyState.UNKNOWN, fault, "try again later")
    if not isinstance(reply, Found):
        fault = yield from _elsewhere(domain.lower(), selector.lower(), key)
        return KeyVerdict(name, KeyState.UNPUBLISHED, fault, _publish(name, key))
    texts = reply.records
    found = _judge(texts[0], key) if len(texts) == 1 else _of_several(texts, key)
    if found.state is not KeyState.EQUAL:
        return KeyVerdict(name, found.state, found.fault, _remedy(found.state, name, key))
    return KeyVerdict(name, KeyState.EQUAL, testing=found.testing)


def weakness(key: Key) -> str:
    """Return what makes a key weak; "" where nothing does."""
    if key.algorithm != RSA:
        return ""
    public = load_der_public_key(key.public)
    assert isinstance(public, RSAPublicKey)
    bits = public.key_size
    return f"an RSA key of {bits} bits, fewer than {ADVISED}" if bits < ADVISED else ""


def _publish(name: str, key: Key) -> str:
    return f"publish {zone_lines.txt(name, record.text(key.algorithm, key.public))}"


def _remedy(state: KeyState, name: str, key: Key) -> str:
    match state:
        case KeyState.REVOKED:
            return "sign with a new key: opensmtpd-plugins genkey"
        case KeyState.DIFFERENT:
            return f"{_publish(name, key)} in its place, or sign with the key that is published"
        case KeyState.SEVERAL:
            return f"{_publish(name, key)} as the only record of this name"
        case _:
            return f"{_publish(name, key)} in its place"


def _judge(text: str, key: Key) -> _Judged:
    """Judge one TXT record."""
    raw = text.encode("latin-1", "replace")
    theirs, ours = _in_base64(raw), b64encode(key.public).rstrip(b"=")
    if theirs == b"":
        return _Judged(KeyState.REVOKED, "the record says that the key is revoked (p= empty)")
    if theirs and len(theirs) < len(ours) and ours.startswith(theirs):
        fault = f"the record has {len(theirs)} of the key's {len(ours)} characters: it is cut off"
        return _Judged(KeyState.UNUSABLE, fault)
    try:
        found = PublicKey.of(raw, key.algorithm.partition("-")[0])
    except PermError as error:
        return _Judged(KeyState.UNUSABLE, f"the record cannot be used: {_spoilt(text) or error}")
    if _spki(found) == key.public:
        return _Judged(KeyState.EQUAL, testing=found.testing)
    return _Judged(KeyState.DIFFERENT, "the record has another key")


def _of_several(texts: Sequence[str], key: Key) -> _Judged:
    """Judge several TXT records of one name (RFC 6376 section 3.6.2.2 forbids them)."""
    count = len(texts)
    orders = permutations(texts) if count <= _PIECES_MAX else [texts]
    if any(_judge("".join(order), key).state is KeyState.EQUAL for order in orders):
        fault = f"the record is split into {count} records, where its strings belong into one"
        return _Judged(KeyState.SEVERAL, fault)
    judged = [_judge(text, key) for text in islice(texts, _RECORDS_MAX)]
    if any(each.state is KeyState.EQUAL for each in judged):
        fault = f"{count} records, of which one is the key: each verifier takes the one it likes"
        return _Judged(KeyState.SEVERAL, fault)
    return judged[0]._replace(fault=f"{count} records, none with the key; {judged[0].fault}")


def _spki(found: PublicKey) -> bytes:
    """Return a published key in the form of ``Key.public``; empty for what is no key."""
    if found.kind != "rsa":
        return found.data
    try:
        key = load_der_public_key(found.data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _in_base64(raw: bytes) -> bytes | None:
    """Return what ``p=`` says, without the padding; None where there is none."""
    try:
        value = tag_list(raw).get(b"p")
    except PermError:
        return None
    return None if value is None else compact(value).rstrip(b"=")


def _spoilt(text: str) -> str:
    """Return what web forms and zone files often do to a record, "" where it is nothing of that."""
    if '"' in text:
        return "there are quotation marks in it, which no form wants"
    if "\\" in text:
        return "there are backslashes in it, which belong into no form"
    if not text.strip():
        return "it is empty"
    if "p=" not in text:
        return "it is a text of another kind, perhaps that of a wildcard"
    return ""


def _elsewhere(domain: str, selector: str, key: Key) -> Lookup[str]:
    """Say that a key is not published, and where it is by mistake."""
    others = {
        f"{selector}._domainkey.{domain}.{domain}": "the form adds the domain itself",
        f"{selector}.{domain}": "._domainkey is missing",
    }
    questions = [Question(name, RecordType.TXT) for name in others if is_wire_name(name)]
    replies = yield questions
    for question, reply in zip(questions, replies, strict=True):
        texts = reply.records[:_RECORDS_MAX] if isinstance(reply, Found) else ()
        if any(_judge(text, key).state is KeyState.EQUAL for text in texts):
            return f"not published, but at {question.name}: {others[question.name]}"
    return "not published"
