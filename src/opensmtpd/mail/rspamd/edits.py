"""Do to a message what a verdict asks for."""

from collections.abc import Iterator, Sequence
from itertools import dropwhile
from operator import itemgetter

from opensmtpd.errors import DecisionError, Refused
from opensmtpd.filter import REPLY_MAX, EditedMessage, Field, Reject
from opensmtpd.mail.policy.action import harmless
from opensmtpd.mail.rspamd import spam_status
from opensmtpd.mail.rspamd.verdict import RspamdVerdict
from opensmtpd.mail.spam_fields import is_spam_field

REFUSALS = {
    "reject": (550, "message rejected"),
    "discard": (550, "message rejected"),
    "soft reject": (451, "try again later"),
}
"""Action to the code of the reply, and the text where rspamd has none."""
UNSCANNED = b"X-Rspamd-Unscanned"
RESULTS = (
    b"ARC-Seal",
    b"ARC-Message-Signature",
    b"ARC-Authentication-Results",
    b"Authentication-Results",
)
"""Fields that stand above the header wherever rspamd wants them, in this order: a chain (RFC 8617
section 5.1) and the results of this server (RFC 8601 section 4) belong above all that came."""

_RANKS = {name.lower(): rank for rank, name in enumerate(RESULTS)}


def refusal(verdict: RspamdVerdict) -> Reject | None:
    """Return the refusal that a verdict asks for, None where the message may pass."""
    if verdict.harmless or verdict.quarantine or verdict.action not in REFUSALS:
        return None
    code, text = REFUSALS[verdict.action]
    words = " ".join(verdict.reply.split())  # of several lines, too: smtpd takes one
    return Reject(code, harmless(words)[: REPLY_MAX - 4].rstrip() or text)


def forgeries(mail: EditedMessage) -> list[Field]:
    """Return the fields of a client that programs take for ours, in any case.

    smtpd puts its Received field on top of what the client sent (RFC 5321 section 4.4); fields
    above it are those of filters before this one.
    """
    below = dropwhile(lambda each: each.name.lower() != b"received", mail.fields)
    named = ((field, field.name.lower()) for field in below)
    return [field for field, name in named if is_spam_field(name) or name.startswith(b"x-rspamd")]


def write_unscanned(mail: EditedMessage, reason: str) -> None:
    """Say in a message that it was not scanned, and why."""
    for field in forgeries(mail):
        mail.remove(field)
    mail.prepend(UNSCANNED, harmless(reason)[:900].encode("ascii"))


def write(mail: EditedMessage, verdict: RspamdVerdict) -> list[str]:
    """Edit a message; return the names of fields that could not be written.

    Raises Refused. Removals come first: their numbers are those of the message as rspamd has it.
    """
    refused = refusal(verdict)
    if refused is not None:
        raise Refused(refused)
    for field in dict.fromkeys([*forgeries(mail), *_removed(mail, verdict)]):
        mail.remove(field)
    writer = _Writer(mail)
    if verdict.action == "rewrite subject" and verdict.subject is not None:
        writer.replace_subject(verdict.subject)
    writer.add(verdict)
    if verdict.harmless:
        writer.put(b"X-Rspamd-Action", verdict.action.encode())
    elif verdict.action == "add header":
        writer.mark(verdict)
    elif verdict.quarantine:
        writer.put(b"X-Spam", b"yes")
    for value in reversed(verdict.signatures):
        writer.put(b"DKIM-Signature", value)
    return writer.failed


def _removed(mail: EditedMessage, verdict: RspamdVerdict) -> Iterator[Field]:
    """Yield the fields that rspamd wants to be removed.

    It has seen all fields, so all count; but those above smtpd's Received field stay. rspamd has
    X-Spam fields of others removed by itself, and these are decisions of smtpd, or of filters
    before this one: ``junk``, or the results of filter-auth. Fields of the names that it marks spam
    with are removed, as its own milter does.
    """
    names = [each.name.lower() for each in mail.fields]
    above = names.index(b"received") if b"received" in names else 0
    kept = set(mail.fields[:above])
    marks = [] if verdict.harmless else [(name, 0) for name, _ in verdict.spam]
    for name, number in (*verdict.removed, *marks):
        fields = mail.named(name)
        found: Sequence[Field] = ()
        if number == 0:
            found = fields
        elif abs(number) <= len(fields):
            found = (fields[number - 1 if number > 0 else number],)
        yield from (field for field in found if field not in kept)


class _Writer:
    """Writes fields; one that no header can hold is left out."""

    def __init__(self, mail: EditedMessage) -> None:
        self._mail = mail
        self.failed: list[str] = []
        self._above = next(
            (at for at, each in enumerate(mail.fields) if each.name.lower() == b"received"), 0
        )
        """The number of fields above that of smtpd: rspamd counts from there."""

    def put(self, name: bytes, value: bytes, at: int | None = 0) -> None:
        """Write a field before the one with an index, None for the end of the header."""
        try:
            if at is None:
                self._mail.append(name, folded(value))
            else:
                self._mail.insert(at, name, folded(value))
        except DecisionError:
            self.failed.append(harmless(name.decode("utf-8", "replace"))[:80])

    def add(self, verdict: RspamdVerdict) -> None:
        """Add the fields of ``add_headers``: those without a place, and results, on top."""
        placed = [each for each in verdict.added if each[2] is not None]
        results = [(_rank(name), name, value) for name, value, _ in placed if _rank(name) >= 0]
        for name, value, place in placed:
            if _rank(name) >= 0:
                continue
            if place == -1:
                self.put(name, value, None)
                continue
            below = len(self._mail.fields) - self._above
            at = place if place >= 0 else max(0, below + place + 1)
            self.put(name, value, self._above + at)
        for _, name, value in sorted(results, key=itemgetter(0), reverse=True):
            self.put(name, value)
        for name, value, place in reversed(verdict.added):
            if place is None:
                self.put(name, value)

    def mark(self, verdict: RspamdVerdict) -> None:
        """Write that a message is spam, and why."""
        lines = spam_status.status(verdict.score, verdict.required, verdict.symbols)
        if verdict.symbols:
            self.put(b"X-Spam-Status", b"\n".join(lines))
        self.put(b"X-Spam-Score", spam_status.score(verdict.score, verdict.required))
        for name, value in reversed(verdict.spam):
            self.put(name, value)

    def replace_subject(self, subject: bytes) -> None:
        """Give a message another subject; a field for it is added where there is none."""
        fields = self._mail.named(b"Subject")
        try:
            for field in fields:
                self._mail.replace(field, folded(subject))
        except DecisionError:
            self.failed.append("Subject")
        if not fields:
            self.put(b"Subject", subject, None)


def _rank(name: bytes) -> int:
    """Return the place of a field among RESULTS, -1 for another one."""
    return _RANKS.get(name.lower(), -1)


def folded(value: bytes) -> bytes:
    """Return a value as a header can hold it: no carriage return, NUL, or line without a blank.

    A carriage return stops smtpd, and a line without a blank in front would be a field of its own.
    Lines that begin with a blank stay as they are, in a value that has no other fault.
    """
    clean = value.translate(None, b"\r\0")
    if b"\n" not in clean:
        return clean
    first, *others = clean.strip(b"\n").split(b"\n")
    kept = [line if line[:1] in (b" ", b"\t") else b"\t" + line for line in others if line.strip()]
    return b"\n".join([first, *kept])
