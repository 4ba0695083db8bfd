"""The signers of ARC: what filter-dkimsign writes with -A and with -S (RFC 8617 section 5.1).

They sign in the place of DKIM's signer, with the first key: a set has one signature of each kind.
"""

import time
from collections.abc import Callable

from opensmtpd.errors import Unsignable
from opensmtpd.mail.arc.begun import begun_set
from opensmtpd.mail.arc.covered import lines
from opensmtpd.mail.dkim.canonical_body import SimpleBody
from opensmtpd.mail.dkim.keys.keyring import Keyring
from opensmtpd.mail.dkim.sign.signer import Prepared, Signatories, Signer, author
from opensmtpd.mail.dkim.sign.style import Style
from opensmtpd.mail.dkim.signature import Template, begin, unsigned


class NoBody(SimpleBody):
    """A body that is not hashed: no seal covers it."""

    __slots__ = ()

    def feed(self, lines: list[bytes]) -> None:
        """Take the next run of lines, and leave it."""


class MessageSigner(Signer):
    """Writes the ARC-Message-Signature of a set whose results are on top."""

    log_name = "arc"

    def prepare(self, header: bytes, body: bytes, add_missing: bool) -> Prepared:
        """Do all but sign. Raises Unsignable for a message that gets no signature."""
        begun = begun_set(header)
        if begun.message is not None:
            raise Unsignable("an ARC-Message-Signature is there already")
        fields = self.find(header)
        author(fields)  # as with DKIM, there must be one that will not change
        covered, reasons = self.cover(header, fields, body, self.clock())
        identity = self.keyring.first[0]
        template = Template(identity, self.style.header, self.style.body, begun.instance)
        return Prepared([template.prepare(covered)], Signatories([identity], None), [], reasons)


class Sealer(Signer):
    """Writes the ARC-Seal of a set whose results and signature are on top."""

    log_name = "arc"

    def __init__(
        self, keyring: Keyring, style: Style, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(keyring, style, clock)
        self.body = NoBody

    def prepare(self, header: bytes, body: bytes, add_missing: bool) -> Prepared:
        """Do all but sign. Raises Unsignable for a message that gets no seal."""
        begun = begun_set(header)
        if begun.message is None:
            raise Unsignable("no ARC-Message-Signature on top")
        # A broken chain cannot be read alike by all: its seal covers its own set (section 5.1.2).
        sets = begun.older.sets if begun.older and begun.cv != "fail" else []
        older = b"".join([lines(*[each.field for each in one]) for one in sets])
        identity = self.keyring.first[0]
        algorithm, selector = f"a={identity.algorithm}", f"s={identity.selector}"
        field = begin("ARC-Seal", f"i={begun.instance}", algorithm, selector, f"cv={begun.cv}")
        for tag in self.times(self.clock()):
            field.piece(b" %s;" % tag)
        field.piece(b" d=%s;" % identity.domain.encode("ascii"))
        field.piece(b" b=")
        seal = unsigned(field, older + lines(begun.results, begun.message), relaxed=True)
        return Prepared([seal], Signatories([identity], None), [], {})
