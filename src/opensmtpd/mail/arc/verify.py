"""The verification of a chain while its message arrives (RFC 8617 section 5.2).

Nothing here does I/O: the keys are asked for in a lookup, and a worker verifies the claims.
"""

from typing import NamedTuple

from opensmtpd.dns.lookup import Lookup
from opensmtpd.dns.question import Absent, Found, Question, RecordType, Reply
from opensmtpd.errors import PermError
from opensmtpd.mail.arc.chain import INSTANCE_MAX, SEAL, ArcSet, Chain, find_chain
from opensmtpd.mail.arc.covered import seal_digests
from opensmtpd.mail.dkim.canonical_header import HeaderField
from opensmtpd.mail.dkim.verify.bodies import BodyHash, BodyHashes
from opensmtpd.mail.dkim.verify.claims import BAD_KEY, FAIL, LARGE, PASS, WEAK, Claim, verdicts
from opensmtpd.mail.dkim.verify.key_record import ChosenKeys
from opensmtpd.mail.dkim.verify.signature import Signature
from opensmtpd.mail.dkim.verify.signed_data import Fields
from opensmtpd.mail.dkim.verify.tags import words

OLDER_MAX = 1 << 22
"""Bytes of header that are hashed for the older message signatures, at most: each may cover the
whole header, and they only tell which system changed the message."""

_WRONG = {
    FAIL: "does not hold",
    BAD_KEY: "has a key that cannot be read",
    WEAK: "has a key with too few bits",
    LARGE: "has a key with too many bits",
}


class ArcResult(NamedTuple):
    """The result for the chain of a message."""

    result: str
    """``"none"``, ``"pass"``, ``"fail"``, or ``"temperror"``: the keys could not be had now."""
    reason: str = ""
    """Why not pass: printable ASCII, one line."""
    instance: int = 0
    """The highest instance in the header, 0 where there is none."""
    sealers: tuple[str, ...] = ()
    """The domains of the seals, newest first; () unless all of them hold."""
    oldest_pass: int = 0
    """The oldest instance whose message signature, and all later ones, hold; 0: they all do."""
    aar: bytes = b""
    """The value of the newest ARC-Authentication-Results, b"" unless its seal holds."""
    next_instance: int | None = None
    """The instance of the set to add, None where none is to be added (section 5.1)."""
    partial: bool = False
    """The newest message signature leaves a part of the body open, by its ``l=``."""
    covers_from: bool = True
    """The newest message signature covers From: its ``h=`` names it."""


class _Check:
    """One signature, and what is known of it."""

    def __init__(
        self, name: str, signature: Signature, digest: bytes, body: BodyHash | None = None
    ) -> None:
        self.name = name
        self.signature = signature
        self.digest = digest
        self.body = body
        self.result = "temperror"
        self.reason = f"{name} was not verified"

    def wrong(self, reason: str) -> None:
        """Take the reason why it does not hold."""
        self.result, self.reason = "fail", f"{self.name} {reason}"

    def body_differs(self) -> bool:
        """Tell whether another body was signed, or a longer one (RFC 6376 section 6.1.3)."""
        if self.body is None:
            return False
        return (self.signature.length or 0) > self.body.octets or (
            self.signature.body_hash != self.body.digest
        )

    def partial(self) -> bool:
        """Tell whether the body goes on behind what was signed."""
        length = self.signature.length
        return self.body is not None and length is not None and length < self.body.octets


class ArcVerification:
    """The verification of the chain of one message.

    Make it before the DkimVerification of the same message, so that the newest message signature
    has a hash among the few that there are.
    """

    def __init__(self, header: bytes, bodies: BodyHashes, *, now: int, weak: bool = False) -> None:
        """Take the header, each of its lines behind a line feed.

        ``now`` is in seconds since 1970; ``weak`` lets RSA keys of 512 to 1023 bits do.
        """
        self._weak = weak
        fields = Fields(header)
        self._chain = find_chain(fields)
        self._fault = self._chain.fault if self._chain else ""
        self._checks: list[_Check] = []
        """The newest message signature, then the seals, newest first: all must hold."""
        self._older: list[_Check] = []
        """Older message signatures, newest first, up to one that does not hold for sure."""
        self._replies: dict[str, Reply] = {}
        self._keys = ChosenKeys()
        self._claimed: list[_Check] = []
        if self._chain is None or self._fault:
            return
        try:
            self._checks = _required(self._chain.sets, fields, bodies, now)
        except PermError as error:
            self._fault = str(error)
            return
        known = {check.signature.key_name for check in self._checks}
        self._older = _older(self._chain.sets, fields, bodies, known, OLDER_MAX // len(header))

    def keys(self) -> Lookup[None]:
        """Ask for the keys, each once, all in one round. It may run while the body arrives."""
        names = list(dict.fromkeys(check.signature.key_name for check in self._checks))
        if names:
            replies = yield [Question(name, RecordType.TXT) for name in names]
            self._replies = dict(zip(names, replies, strict=True))

    def claims(self) -> list[Claim]:
        """Return what a PublicKeyWorker is to verify, [] for nothing.

        Call it when ``keys`` has run, and the body has ended.
        """
        self._claimed = []
        found = []
        for check in self._checks + self._older:
            if check.body_differs():
                check.wrong("has another body hash")
                continue
            claim = self._claim(check)
            if claim is not None:
                self._claimed.append(check)
                found.append(claim)
        if any(check.result == "fail" for check in self._checks):
            self._claimed = []
            return []
        return found

    def _claim(self, check: _Check) -> Claim | None:
        name, kind = check.signature.key_name, check.signature.kind
        reply = self._replies.get(name)
        if isinstance(reply, Absent):
            check.wrong("has no key")
        elif isinstance(reply, Found):
            try:
                key = self._keys.choose(name, reply.records, kind)
            except PermError as error:
                check.wrong(f"cannot be verified: {error}")
            else:
                return Claim(kind, key.data, check.digest, check.signature.value, self._weak)
        else:
            check.reason = f"{check.name}: the key could not be asked for"
        return None

    def result(self, replies: object) -> ArcResult:
        """Return the result; ``replies`` are those of the worker to the claims.

        For anything else, such as None, what it was asked remains open: temperror.
        """
        for check, verdict in zip(
            self._claimed, verdicts(replies, len(self._claimed)), strict=True
        ):
            if verdict is None:
                continue
            if verdict.word == PASS:
                check.result = PASS
            else:
                check.wrong(_WRONG[verdict.word])
        chain = self._chain
        if chain is None:
            return ArcResult("none", next_instance=1)
        if self._fault:
            return _failed(chain, self._fault)
        for result in ("fail", "temperror"):  # a sure reason before one that may pass
            for check in self._checks:
                if check.result != result:
                    continue
                if result == "fail":
                    return _failed(chain, check.reason)
                return ArcResult("temperror", check.reason, chain.instance)
        newest, *seals = self._checks
        return ArcResult(
            "pass",
            instance=chain.instance,
            sealers=tuple(seal.signature.domain for seal in seals),
            oldest_pass=self._oldest_pass(chain),
            aar=chain.sets[-1].results.field[2],
            next_instance=_next(chain),
            partial=newest.partial(),
            covers_from=b"from" in newest.signature.names,
        )

    def _oldest_pass(self, chain: Chain) -> int:
        """Return the oldest pass of section 5.2 step 5, 0 where no message signature is broken."""
        instance = chain.instance
        for check in self._older:
            if check.result != PASS:
                return instance
            instance -= 1
        return instance if instance > 1 else 0


def _failed(chain: Chain, reason: str) -> ArcResult:
    return ArcResult("fail", reason, chain.instance, next_instance=_next(chain))


def _next(chain: Chain) -> int | None:
    if chain.ended or not 0 < chain.instance < INSTANCE_MAX:
        return None
    return chain.instance + 1


def _required(sets: list[ArcSet], fields: Fields, bodies: BodyHashes, now: int) -> list[_Check]:
    """Return the checks that must all succeed. Raises PermError where one cannot."""
    instance = len(sets)
    try:
        newest = _message_signature(sets[-1].message.tags)
        if newest.expires is not None and newest.expires < now:
            raise PermError("expired")
        body = bodies.want(newest.body, newest.length)
        if body is None:
            raise PermError("too many different body hashes in this message")
    except PermError as error:
        raise PermError(f"ARC-Message-Signature of instance {instance}: {error}") from None
    digest = _message_digest(sets[-1].message.field, newest, fields)
    checks = [_Check(f"ARC-Message-Signature of instance {instance}", newest, digest, body)]
    digests = seal_digests(sets)
    for one, digest in zip(reversed(sets), reversed(digests), strict=True):
        name = f"ARC-Seal of instance {instance}"
        try:
            checks.append(_Check(name, _seal(one.seal.tags), digest))
        except PermError as error:
            raise PermError(f"{name}: {error}") from None
        instance -= 1
    return checks


def _older(
    sets: list[ArcSet], fields: Fields, bodies: BodyHashes, known: set[str], most: int
) -> list[_Check]:
    """Return checks of older message signatures, newest first, up to one that cannot succeed.

    They are to cost little: no key is asked for that no seal needs, no body is hashed up to an
    ``l=`` of theirs, and there are ``most`` of them.
    """
    checks: list[_Check] = []
    for instance in range(len(sets) - 1, 0, -1):
        field, tags = sets[instance - 1].message
        try:
            signature = _message_signature(tags)
        except PermError:
            break
        body = bodies.want(signature.body, None) if signature.length is None else None
        if body is None or signature.key_name not in known or len(checks) >= most:
            break
        name = f"ARC-Message-Signature of instance {instance}"
        checks.append(_Check(name, signature, _message_digest(field, signature, fields), body))
    return checks


def _message_signature(tags: dict[bytes, bytes]) -> Signature:
    """Judge an ARC-Message-Signature (section 4.1.2). Raises PermError.

    Others are more lenient here than with DKIM, and so is the test suite of ValiMail: without c=,
    both canonicalizations are "relaxed", and h= may be empty, or have empty names.
    """
    names = tuple(filter(None, words(tags.get(b"h", b"").lower())))
    listed = {b"h": b":".join(names) or b"from"} if b"h" in tags else {}
    signature = Signature.of({b"c": b"relaxed/relaxed", **tags, **listed})
    if SEAL in names:
        raise PermError("h= names ARC-Seal")
    return signature._replace(names=names)


def _seal(tags: dict[bytes, bytes]) -> Signature:
    """Judge an ARC-Seal (section 4.1.3). Raises PermError."""
    if b"h" in tags:
        raise PermError("h= must not be there")
    return Signature.of_seal(tags)


def _message_digest(field: HeaderField, signature: Signature, fields: Fields) -> bytes:
    return fields.digest(field, signature.names, signature.header)
