"""Take passwords out of what smtpd and a filter say; on request, addresses and bodies too.

A password is in the request ``auth``, in the client's lines of the report ``protocol-client``, and
may be in the answer of a filter to ``auth``. smtpd sends what a filter registers for, and most
register for none of these. Chunks in which nothing secret can be are passed whole: to cut all into
lines would take too long. Where lines were lost, more than necessary is taken out.
"""

from collections.abc import Callable, Iterator

from opensmtpd.capture.format import HIDDEN, Speaker
from opensmtpd.capture.lines import WholeLines
from opensmtpd.capture.messages import Bodies

_MARKS = (b"auth|", b"protocol-client|")
"""Stand in each line of smtpd's that may hold a secret."""
_SECRET = (b"link-auth", b"protocol-client", b"filter-response")
"""Reports that may hold one."""
_VERBS = frozenset(
    b"HELO EHLO LHLO STARTTLS MAIL RCPT DATA RSET NOOP QUIT HELP VRFY EXPN WIZ BDAT".split()
)
"""Any other line of a client may be a part of the dialogue of AUTH."""
_NAMING = frozenset(b"HELO EHLO LHLO MAIL RCPT VRFY EXPN".split())
_MECHANISMS = (b"PLAIN", b"LOGIN")
_RESULTS = (b"pass", b"fail", b"error")
_ASKED_MAX = 10_000
"""Requests that are remembered; the answer to an older one loses its parameter."""
_PLAIN = frozenset(
    b"link-disconnect link-tls link-greeting timeout tx-begin tx-envelope tx-data tx-commit"
    b" tx-rollback tx-reset starttls data commit rset quit noop help wiz".split()
)
"""Events in which no address is."""

_KEPT: dict[bytes, Callable[[bytes], bytes]] = {
    b"protocol-server": lambda text: text[:4],
    b"tx-mail": lambda text: text.partition(b"|")[0] + b"|",
    b"tx-rcpt": lambda text: text.partition(b"|")[0] + b"|",
}
"""Fields kept of other reports without addresses: the code, the message's id."""


class FilterRedaction:
    """Takes bytes of both sides; returns runs of lines, and whether something is missing there."""

    def __init__(self, *, bodies: bool = True, addresses: bool = True) -> None:
        self._whole = {speaker: WholeLines() for speaker in Speaker}
        self._addresses = addresses
        self._each_line = not (bodies and addresses)
        self._bodies = None if bodies else Bodies()
        self._handshake = True
        self._auth = self._secrets = False
        """The filter registered for the phase auth, and for anything that may hold a secret."""
        self._asked: dict[bytes, bytes] = {}
        """The phases of requests without an answer, by session and token, where ``_auth``."""

    def feed(self, speaker: Speaker, data: bytes) -> list[tuple[bytes, bool]]:
        """Take bytes of one side. A run whose second part is true is one line with a gap."""
        lines = self._whole[speaker].feed(data)
        if not lines:
            return []
        if self._each_line or self._auth or self._handshake:
            return _runs(lines, self._parts(speaker, lines))
        if self._secrets and speaker is Speaker.SMTPD and any(mark in lines for mark in _MARKS):
            return _runs(lines, self._parts(speaker, lines))
        return [(lines, False)]

    def lost(self, speaker: Speaker) -> None:
        """Bytes of one side are missing here."""
        self._whole[speaker].lost()
        self._asked.clear()
        if self._handshake:
            self._auth = self._secrets = True
        if self._bodies:
            self._bodies.lost()

    def _parts(self, speaker: Speaker, lines: bytes) -> Iterator[bytes]:
        clean = self._of_smtpd if speaker is Speaker.SMTPD else self._of_plugin
        return map(clean, lines[:-1].split(b"\n"))

    def _of_smtpd(self, line: bytes) -> bytes:
        head, _, rest = line.partition(b"|")
        if head == b"config":
            return line
        fields = rest.split(b"|", 5)
        if head not in (b"filter", b"report") or len(fields) < 5:
            return HIDDEN
        event = fields[3]
        text = fields[5] if len(fields) > 5 else b""
        start = line[: len(line) - len(text)]
        if head == b"report":
            return start + self._reported(event, text)
        token, bar, text = text.partition(b"|")
        key = fields[4] + b"|" + token
        start += token + bar
        if event == b"data-line":
            return start + self._message_line(Speaker.SMTPD, key, text)
        if self._auth:
            self._remember(key, event)
        if not text or (event != b"auth" and (self._addresses or event in _PLAIN)):
            return line
        return start + HIDDEN

    def _reported(self, event: bytes, text: bytes) -> bytes:
        """Return the fields of a report behind its session, as they may be kept."""
        if event == b"link-auth":
            return _login(text)
        if event == b"protocol-client":
            return _command(text, self._addresses)
        if event == b"filter-response":
            return _response(text, self._addresses)
        if self._addresses or event in _PLAIN or not text:
            return text
        kept = _KEPT.get(event)
        return (kept(text) if kept else b"") + HIDDEN

    def _of_plugin(self, line: bytes) -> bytes:
        head, _, rest = line.partition(b"|")
        if head == b"register":
            kind, _, name = rest.partition(b"|")
            asked = name.rpartition(b"|")[2] in (b"auth", b"*")
            self._auth = self._auth or (asked and kind == b"filter")
            self._secrets = self._secrets or asked or name.rpartition(b"|")[2] in _SECRET
            self._handshake = self._handshake and line != b"register|ready"
            return line
        fields = rest.split(b"|", 3)
        if len(fields) < 3:
            return HIDDEN
        key = fields[0] + b"|" + fields[1]
        if head == b"filter-dataline":
            start = len(head) + len(key) + 2
            return line[:start] + self._message_line(Speaker.PLUGIN, key, line[start:])
        if head != b"filter-result":
            return HIDDEN
        secret = self._auth and self._asked.pop(key, b"auth") == b"auth"
        if len(fields) > 3 and (secret or not self._addresses):
            return line[: len(line) - len(fields[3])] + HIDDEN
        return line

    def _message_line(self, speaker: Speaker, key: bytes, text: bytes) -> bytes:
        kept = self._addresses or text in (b"", b".")
        if self._bodies:
            kept = self._bodies.keeps(speaker, key, text) and kept
        return text if kept else HIDDEN

    def _remember(self, key: bytes, phase: bytes) -> None:
        self._asked[key] = phase
        if len(self._asked) > _ASKED_MAX:
            del self._asked[next(iter(self._asked))]


def _runs(lines: bytes, cleaned: Iterator[bytes]) -> list[tuple[bytes, bool]]:
    """Return the runs of lines that were left as they are, and single lines that were not."""
    runs: list[tuple[bytes, bool]] = []
    start = end = 0
    for line in cleaned:
        following = lines.index(b"\n", end) + 1
        if following - end - 1 != len(line) or lines[end : following - 1] != line:
            if start < end:
                runs.append((lines[start:end], False))
            runs.append((line + b"\n", True))
            start = following
        end = following
    if start < end:
        runs.append((lines[start:end], False))
    return runs


def _login(text: bytes) -> bytes:
    """Return the fields of link-auth without the user, before or behind the result."""
    first, last = text.partition(b"|")[0], text.rpartition(b"|")[2]
    if first in _RESULTS:
        return first + b"|" + HIDDEN
    return HIDDEN + b"|" + last if last in _RESULTS else HIDDEN


def _response(text: bytes, addresses: bool) -> bytes:
    """Return the fields of filter-response as they may be kept."""
    phase, bar, rest = text.partition(b"|")
    decision, second, parameter = rest.partition(b"|")
    if parameter and (phase == b"auth" or not addresses):
        return phase + bar + decision + second + HIDDEN
    return text


def _command(text: bytes, addresses: bool) -> bytes:
    """Return a line of a client's as it may be kept."""
    verb, space, rest = text.partition(b" ")
    if verb.upper() in _VERBS:
        named = rest and not addresses and verb.upper() in _NAMING
        return verb + space + HIDDEN if named else text
    if verb.upper() != b"AUTH":
        return HIDDEN
    mechanism, space, rest = rest.partition(b" ")
    if mechanism.upper() not in _MECHANISMS:
        return b"AUTH " + HIDDEN
    return b"AUTH " + mechanism + space + (rest and HIDDEN)
