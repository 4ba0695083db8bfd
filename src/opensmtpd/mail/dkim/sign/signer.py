"""The signer: a message's lines in, its DKIM-Signature fields out."""

import time
from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from opensmtpd._counters.counts import count
from opensmtpd.errors import LocalError, Unsignable
from opensmtpd.mail.dkim.canonical_body import RelaxedBody, SimpleBody
from opensmtpd.mail.dkim.canonical_header import CANONICAL, HeaderField, copied, finder, text
from opensmtpd.mail.dkim.keys.keyring import Identity, Keyring
from opensmtpd.mail.dkim.sign.left_out import left_out
from opensmtpd.mail.dkim.sign.smtpd_changes import added_fields, completed
from opensmtpd.mail.dkim.sign.strangers import Strangers
from opensmtpd.mail.dkim.sign.style import Style
from opensmtpd.mail.dkim.signature import Covered, Forms, Template, Unsigned
from opensmtpd.mail.mailboxes import first_domain

HEADER_MAX = 1 << 18
"""Bytes of header that are kept for one message; one with more is not signed."""
ALL_HEADERS_MAX = 1 << 23
"""Bytes that all headers over LARGE together may have; beyond it messages are not signed."""
LARGE = 1 << 13
"""Bytes of header from which on even its parsing takes noticeable time."""
TIME_MAX = (1 << 63) - 1
SIGNATURE_MIN = 64
"""Bytes of the shortest signature, that of Ed25519."""


class Signatories(NamedTuple):
    """The identities that sign a message."""

    identities: list[Identity]
    """All of one domain; at least one."""
    stranger: Unsignable | None
    """The reason why the first domain signs for an author who has none of ours; else None."""


class Prepared(NamedTuple):
    """A message that only lacks the signatures themselves."""

    fields: list[Unsigned]
    """The DKIM-Signature fields; at least one."""
    signatories: Signatories
    """The identities of these fields, in the same order."""
    front: list[bytes]
    """Lines of fields that were missing."""
    left_out: dict[str, str]
    """Names of the fields that are not covered, and the reason for each."""

    @property
    def request(self) -> list[tuple[bytes, bytes]]:
        """The request to a worker: the id of a key and a digest for each signature."""
        pairs = zip(self.signatories.identities, self.fields, strict=True)
        return [(identity.key, field.digest) for identity, field in pairs]

    def lines(self, signatures: Sequence[bytes]) -> list[bytes]:
        """Return the header lines to put in front of the message.

        Raises LocalError for a reply that is no list of so many signatures.
        """
        if not (
            isinstance(signatures, list)
            and len(signatures) == len(self.fields)
            and all(isinstance(one, bytes) and len(one) >= SIGNATURE_MIN for one in signatures)
        ):
            raise LocalError("a worker's reply that holds no signatures")
        count("opensmtpd_plugin_signatures", by=len(signatures))
        pairs = zip(self.fields, signatures, strict=True)
        return [line for field, one in pairs for line in field.lines(one)] + self.front


class LargeHeaders:
    """Counts the bytes that messages under way keep of headers over LARGE."""

    def __init__(self) -> None:
        self._bytes = 0
        self._freed: list[int] = []

    def add(self, more: int) -> int:
        """Count more bytes, or fewer; return how many there are."""
        while self._freed:
            self._bytes -= self._freed.pop()
        self._bytes += more
        return self._bytes

    def free(self, size: int) -> None:
        """Count bytes no more. Any thread may call it, for a message may end in one."""
        self._freed.append(size)


class Signer:
    """Signs messages as one configuration says; threads may share it."""

    log_name = "dkim"
    """The name of its signatures in the log."""

    def __init__(
        self, keyring: Keyring, style: Style, clock: Callable[[], float] = time.time
    ) -> None:
        self.keyring = keyring
        self.style = style
        self.clock = clock
        self.find = finder(style.names)
        self.canonical = CANONICAL[style.header]
        self.body: type[SimpleBody] = SimpleBody if style.body == "simple" else RelaxedBody
        self.large = LargeHeaders()
        self.strangers = Strangers()
        forms: Forms = {}
        self._templates = {
            identity: Template(identity, style.header, style.body, forms=forms)
            for identity in keyring
        }

    def signatories(self, author: bytes | None) -> Signatories:
        """Return who signs for an author's domain, None where it cannot be read.

        Raises Unsignable where nobody does.
        """
        found = self.keyring.find(author) if author is not None else None
        if found is not None:
            return Signatories(found, None)
        reason = "no domain in From" if author is None else "no key for the domain"
        stranger = Unsignable(reason, author)
        if self.style.unmatched == "skip":
            raise stranger
        return Signatories(self.keyring.first, stranger)

    def prepare(self, header: bytes, body: bytes, add_missing: bool) -> Prepared:
        """Do all but sign. ``header`` has each line behind a line feed, ``body`` is its digest.

        Raises Unsignable for a message that must not be signed.
        """
        fields = self.find(header)
        signatories = self.signatories(author(fields))
        identities = signatories.identities
        now = self.clock()
        front: list[bytes] = []
        if add_missing:
            front = added_fields(header, identities[0].domain.encode("ascii"), now)
            if front:
                added = b"\n" + b"\n".join(front)
                header, fields = added + header, self.find(added) + fields
        covered, reasons = self.cover(header, fields, body, now)
        unsigned = [self._templates[identity].prepare(covered) for identity in identities]
        return Prepared(unsigned, signatories, front, reasons)

    def cover(
        self, header: bytes, fields: list[HeaderField], body: bytes, now: float
    ) -> tuple[Covered, dict[str, str]]:
        """Return what to cover of these fields of a header.

        And the names of those that must be left out, with the reason for each.
        """
        spared = left_out(fields, self.style.header)
        if spared:
            fields = [field for field in fields if field[0].lower() not in spared]
        covered = Covered(
            b"".join([self.canonical(field) + b"\r\n" for field in reversed(fields)]),
            self._names(fields, spared),
            body,
            self._copies(fields, header),
            self.times(now),
        )
        return covered, {name.decode("ascii"): reason for name, reason in spared.items()}

    def _names(self, fields: list[HeaderField], spared: Container[bytes]) -> list[bytes]:
        """For ``h=``: from bottom to top, as section 5.4.2 has it, then those that are absent."""
        names = [field[0].lower() for field in reversed(fields)]
        return names + [name for name in self.style.oversigned if name not in spared]

    def _copies(self, fields: list[HeaderField], header: bytes) -> bytes | None:
        if not self.style.copies:
            return None
        if self.style.copies > 1:
            return copied(header[1:].split(b"\n"))
        return copied([line for field in fields for line in text(field).split(b"\n")])

    def times(self, now: float) -> tuple[bytes, ...]:
        """Return the tags ``t=`` and ``x=``, as wanted."""
        tags = []
        if self.style.timestamp:
            tags.append(b"t=%d" % now)
        if self.style.lifetime:
            tags.append(b"x=%d" % min(int(now) + self.style.lifetime, TIME_MAX))
        return tuple(tags)


class Signing:
    """One message on its way to a signature."""

    __slots__ = ("_add_missing", "_blocks", "_body", "_counted", "_size", "body", "signer")

    def __init__(self, signer: Signer, add_missing: bool = False) -> None:
        """``add_missing`` puts Date and Message-ID in front, where they lack."""
        self.signer = signer
        self._counted = 0
        self._add_missing = add_missing
        self._blocks: list[bytes] = []  # not lines: a short one takes twenty times its size
        self._size = 0
        self._body = signer.body()
        self.body: Callable[[list[bytes]], None] = self._body.feed
        """Takes a run of body lines."""

    def header(self, lines: list[bytes]) -> None:
        """Take a run of header lines."""
        if not lines:
            return
        self._size += sum(map(len, lines)) + len(lines)
        if self.large and self._count() > ALL_HEADERS_MAX:
            self._size = HEADER_MAX + 1
            self._count()
        if self._size <= HEADER_MAX:
            self._blocks.append(b"\n".join(lines))
        else:
            self._blocks = []

    def _count(self) -> int:
        """Count what this message keeps; return what all keep that have a large header."""
        more, self._counted = self.kept - self._counted, self.kept
        return self.signer.large.add(more)

    def __del__(self) -> None:
        self.signer.large.free(self._counted)

    @property
    def large(self) -> bool:
        """Return whether the header is so large that even ``prepare`` belongs into a thread."""
        return self._size > LARGE

    @property
    def kept(self) -> int:
        """Bytes of header that this message keeps."""
        return self._size if self._size <= HEADER_MAX else 0

    def prepare(self) -> Prepared:
        """Do all but sign. Raises Unsignable for a message that must not be signed."""
        try:
            return self._prepare()
        except Unsignable:
            count("opensmtpd_plugin_unsigned_messages")
            raise

    def _prepare(self) -> Prepared:
        if self._size > HEADER_MAX:
            raise Unsignable(f"header larger than {HEADER_MAX} bytes, or too many such at once")
        header = b"\n" + b"\n".join(self._blocks)
        return self.signer.prepare(header, self._body.digest(), self._add_missing)


def author(fields: list[HeaderField]) -> bytes | None:
    """Return the author's domain, None where it cannot be read.

    Raises Unsignable where there is no From, or one that smtpd will change.
    """
    authors = [field for field in fields if field[0].lower() == b"from"]
    if not authors:
        raise Unsignable("no From field")
    if any(map(completed, authors)):
        raise Unsignable("a bare address in From, which smtpd will complete")
    return first_domain(authors[0][2])
