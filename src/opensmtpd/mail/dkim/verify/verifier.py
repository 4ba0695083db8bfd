"""All DKIM signatures of one message, judged while it arrives: no I/O, and bounded work.

::

    verification = DkimVerification(header, bodies, author=domain, now=now)
    ...            the body comes, bodies.feed(lines), while the lookup verification.keys() runs
    bodies.end()
    replies = ...  what a PublicKeyWorker replies to verification.claims()
    verification.results(replies)
"""

import re
from typing import NamedTuple

from opensmtpd.dns import Failed, Found, Lookup, Question, RecordType, Reply
from opensmtpd.errors import PermError
from opensmtpd.mail.dkim.canonical_header import HeaderField
from opensmtpd.mail.dkim.verify import claims
from opensmtpd.mail.dkim.verify.bodies import BodyHash, BodyHashes
from opensmtpd.mail.dkim.verify.claims import Claim, Verdict
from opensmtpd.mail.dkim.verify.key_record import ChosenKeys, PublicKey
from opensmtpd.mail.dkim.verify.signature import Signature, dns_name
from opensmtpd.mail.dkim.verify.signed_data import Fields
from opensmtpd.mail.dkim.verify.tags import compact, tag_list

LIMIT = 10
"""Signatures of a message that are verified; OpenDKIM verifies 3."""
_FIELDS_MAX = 100
"""DKIM-Signature fields that are read, from the top."""
_IDENTITY_MAX = 320
"""Octets of a mail address (RFC 5321 section 4.5.3.1)."""
_ALGORITHM = re.compile(rb"[a-z0-9-]{1,32}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]*")
_UNCHECKED = ("temperror", "the signature could not be checked")


class DkimResult(NamedTuple):
    """The result of one signature. All of it is printable ASCII."""

    result: str
    """``"pass"``, ``"fail"``, ``"permerror"``, ``"temperror"``, ``"neutral"`` or ``"policy"``.

    RFC 8601 section 2.7.1 has them.
    """
    reason: str = ""
    """Why, where it is no pass, and what a pass leaves open."""
    domain: str = ""
    """``d=`` in lower case, with A-labels; empty, like those below, where it cannot be read."""
    selector: str = ""
    algorithm: str = ""
    identity: str = ""
    """``i=`` as it stands there, without white space; empty where there is none."""
    b: str = ""
    """``b=`` without white space."""
    testing: bool = False
    """The domain tests DKIM: its mail is to be treated like mail without a signature (``t=y``)."""
    partial: bool = False
    """A part of the body is not signed (``l=``): anybody may have written it."""
    bits: int = 0
    """The size of the key, 0 where it was not used."""


_UNREAD = DkimResult("neutral", f"not verified: the message has more than {_FIELDS_MAX} signatures")


class DkimVerification:
    """The signatures of one message, from its header on.

    At most ``limit`` of them cost a question to the DNS, a hash of the header and a verification.
    """

    def __init__(
        self,
        header: bytes,
        bodies: BodyHashes,
        *,
        author: str | None,
        now: int,
        weak: bool = False,
        limit: int = LIMIT,
    ) -> None:
        """Take a header, each of its lines behind a line feed, and say which hashes are wanted.

        ``author`` is the domain of From: signatures of domains near it come first where there are
        too many. ``now`` is in seconds since 1970. ``weak`` accepts RSA keys of 512 to 1023 bits.
        """
        fields = Fields(header)
        self._weak = weak
        found = fields.named(b"dkim-signature")
        self._all = [_One(field, now) for field in found[:_FIELDS_MAX]]
        self._unread = len(found) - len(self._all)
        self._chosen: list[_One] = []
        self._claimed: list[_One] = []
        self._choose(author, bodies, limit)
        for one in self._chosen:  # at once: thousands of messages may wait for their keys
            one.hash_header(fields)

    def _choose(self, author: str | None, bodies: BodyHashes, limit: int) -> None:
        """Choose which signatures are verified, and tell the others why they are not."""
        good = [one for one in self._all if one.signature is not None]
        good.sort(key=lambda one: -_shared(one.told.domain, author or ""))
        for one in good[limit:]:
            one.end("neutral", f"not verified: the message has more than {limit} signatures")
            one.signature = None  # it would stay in memory until the message has ended
        for one in good[:limit]:
            if one.want(bodies):
                self._chosen.append(one)

    def signer_domains(self) -> list[str]:
        """Return the domains whose signatures are verified, each once, those near From first."""
        return list(dict.fromkeys(one.told.domain for one in self._chosen))

    def keys(self) -> Lookup[None]:
        """Ask for the keys, each once, all in one round."""
        names = {one.key_name: None for one in self._chosen}
        if not names:
            return
        replies = yield [Question(name, RecordType.TXT) for name in names]
        answers = dict(zip(names, replies, strict=True))
        known = ChosenKeys()
        for one in self._chosen:
            one.take_key(answers[one.key_name], known)

    def claims(self) -> list[Claim]:
        """Return what a worker has to verify, after ``keys`` and the end of the body."""
        self._claimed = [one for one in self._chosen if one.check()]
        return [one.claim(self._weak) for one in self._claimed]

    def results(self, replies: object) -> list[DkimResult]:
        """Return a result for each signature, from top to bottom; empty where there is none.

        ``replies`` are what the worker replied to ``claims``; for anything else, such as None, what
        it was asked remains open: temperror.
        """
        verdicts = claims.verdicts(replies, len(self._claimed))
        for one, verdict in zip(self._claimed, verdicts, strict=True):
            one.take_verdict(verdict)
        return [one.told for one in self._all] + [_UNREAD] * self._unread


class _One:
    """One signature: what is known of it so far."""

    def __init__(self, field: HeaderField, now: int) -> None:
        self._field = field
        self._digest = b""
        self.signature: Signature | None = None
        self.told = DkimResult("neutral")
        self._hash: BodyHash | None = None
        self._key: PublicKey | None = None
        self._key_fault = ("temperror", "the key was not asked for")
        try:
            tags = tag_list(field[2])
            self.told = _told(tags)
            signature = Signature.of_dkim(tags)
        except PermError as error:
            self.end("permerror", str(error))
            return
        if signature.expires is not None and signature.expires < now:
            self.end("fail", "the signature has expired")
        else:
            self.signature = signature

    def end(self, result: str, reason: str = "") -> None:
        """Set the result."""
        self.told = self.told._replace(result=result, reason=reason)

    @property
    def _signature(self) -> Signature:
        assert self.signature is not None  # the others are not chosen
        return self.signature

    @property
    def key_name(self) -> str:
        return self._signature.key_name

    def want(self, bodies: BodyHashes) -> bool:
        """Have the body hashed; return whether it is."""
        self._hash = bodies.want(self._signature.body, self._signature.length)
        if self._hash is None:
            self.end("neutral", "not verified: too many different hashes of the body")
        return self._hash is not None

    def hash_header(self, fields: Fields) -> None:
        """Hash the fields of the header that are signed."""
        signature = self._signature
        self._digest = fields.digest(self._field, signature.names, signature.header)

    def take_key(self, reply: Reply, known: ChosenKeys) -> None:
        """Take what the DNS replied to the question for the key."""
        if isinstance(reply, Failed):
            reason = reply.reason.encode("ascii", "replace").decode("ascii")
            self._key_fault = ("temperror", f"no answer for the key: {reason}")
            return
        if not isinstance(reply, Found):
            self._key_fault = ("permerror", "no key")
            return
        try:
            key = known.choose(self.key_name, reply.records, self._signature.kind)
        except PermError as error:
            self._key_fault = ("permerror", str(error))
            return
        self._key = key
        self.told = self.told._replace(testing=key.testing)

    def check(self) -> bool:
        """Judge all but the signature itself; return whether it remains to be verified."""
        signature, body, key = self._signature, self._hash, self._key
        assert body is not None
        if signature.length is not None:
            self.told = self.told._replace(partial=signature.length < body.octets)
        if key is None and self._key_fault[0] == "permerror":
            self.end(*self._key_fault)
        elif key is not None and key.strict and not signature.strict:
            self.end("permerror", "i= is below d=, which the key does not allow")
        elif signature.length is not None and signature.length > body.octets:
            self.end("permerror", "l= is longer than the body")
        elif signature.body_hash != body.digest:
            self.end("fail", "the body was changed")
        elif key is None:
            self.end(*self._key_fault)
        else:
            return True
        return False

    def claim(self, weak: bool) -> Claim:
        signature, key = self._signature, self._key
        assert key is not None
        return Claim(key.kind, key.data, self._digest, signature.value, weak)

    def take_verdict(self, verdict: Verdict | None) -> None:
        """Take what the worker says; None where it does not."""
        if verdict is None:
            self.end(*_UNCHECKED)
            return
        self.told = self.told._replace(bits=verdict.bits)
        match verdict.word:
            case claims.PASS:
                self.end("pass", "a part of the body is not signed" if self.told.partial else "")
            case claims.FAIL:
                self.end("fail", "the signature does not fit the header")
            case claims.WEAK:
                self.end("policy", f"an RSA key of {verdict.bits} bits is too weak")
            case claims.LARGE:
                self.end("policy", "the RSA key is too large")
            case _:
                self.end("permerror", "the key cannot be read")


def _told(tags: dict[bytes, bytes]) -> DkimResult:
    """Return what the log and others may be told of a signature, whether it is good or not."""
    values = {name: compact(tags.get(name, b"")) for name in (b"a", b"i", b"b")}
    algorithm, identity, b = (value.decode("latin-1") for value in values.values())
    return DkimResult(
        "neutral",
        domain=dns_name(compact(tags.get(b"d", b""))) or "",
        selector=dns_name(compact(tags.get(b"s", b""))) or "",
        algorithm=algorithm if _ALGORITHM.fullmatch(values[b"a"]) else "",
        identity=identity if identity.isascii() and len(identity) <= _IDENTITY_MAX else "",
        b=b if _BASE64.fullmatch(values[b"b"]) else "",
    )


def _shared(domain: str, author: str) -> int:
    """Return how many of their last labels two domains share."""
    count = 0
    for one, other in zip(reversed(domain.split(".")), reversed(author.split(".")), strict=False):
        if one != other:
            break
        count += 1
    return count
