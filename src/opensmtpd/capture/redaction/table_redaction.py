"""Take logins out of what smtpd and a table say; on request, all keys and values.

Keys and answers of the services ``auth`` and ``credentials`` are taken out. Before 7.9, smtpd sends
line feeds in a key as they are; but it asks one thing at a time, so that what follows such a
request, up to its answer, is the rest of its key. A value is kept where its request is known.
"""

import re
from collections.abc import Iterator

from opensmtpd.capture.format import HIDDEN, Speaker
from opensmtpd.capture.lines import WholeLines

_LOGINS = (b"auth", b"credentials")
_ANSWER = re.compile(rb"([a-z]{1,16}-result\|([0-9a-f]{1,32})\|(?:found|error))\|(.*)", re.DOTALL)
_BARE = re.compile(rb"[a-z]{1,16}-result\|([0-9a-f]{1,32})\|(?:found|not-found|error|ok)")
_ASKED_MAX = 10_000


class TableRedaction:
    """Takes bytes of both sides; returns runs of lines, and whether something is missing there."""

    def __init__(self, *, addresses: bool = True) -> None:
        self._whole = {speaker: WholeLines() for speaker in Speaker}
        self._addresses = addresses
        self._asked: dict[bytes, None] = {}
        """Requests whose answers may be kept."""
        self._login: bytes | None = None
        """The id of a login without an answer, ``b""`` for any."""

    def feed(self, speaker: Speaker, data: bytes) -> list[tuple[bytes, bool]]:
        """Take bytes of one side. A run whose second part is true is one line with a gap."""
        lines = self._whole[speaker].feed(data)
        return list(self._runs(speaker, lines)) if lines else []

    def lost(self, speaker: Speaker) -> None:
        """Bytes of one side are missing here: a login may be under way."""
        self._whole[speaker].lost()
        self._asked.clear()
        self._login = b""

    def _runs(self, speaker: Speaker, lines: bytes) -> Iterator[tuple[bytes, bool]]:
        clean = self._of_smtpd if speaker is Speaker.SMTPD else self._of_plugin
        for line in lines[:-1].split(b"\n"):
            kept = clean(line)
            yield kept + b"\n", kept != line

    def _of_smtpd(self, line: bytes) -> bytes:
        if self._login is not None:
            return HIDDEN
        head, _, rest = line.partition(b"|")
        if head == b"config":
            return line
        fields = rest.split(b"|", 6)
        if head != b"table" or len(fields) < 5:
            return HIDDEN
        verb, service = fields[3:5]
        id = service if verb == b"update" else fields[5] if len(fields) > 5 else b""
        key = fields[6] if len(fields) > 6 else b""
        if service in _LOGINS:
            self._login = id
        else:
            self._asked[id] = None
            if len(self._asked) > _ASKED_MAX:
                del self._asked[next(iter(self._asked))]
        if not key or (service not in _LOGINS and self._addresses):
            return line
        return line[: len(line) - len(key)] + HIDDEN

    def _of_plugin(self, line: bytes) -> bytes:
        if line.startswith(b"register|"):
            return line
        bare = _BARE.fullmatch(line)
        answer = bare or _ANSWER.fullmatch(line)
        if answer is None:
            return HIDDEN
        id = bare[1] if bare else answer[2]
        if self._login in (b"", id):
            self._login = None
        known = self._asked.pop(id, 0) is None
        return line if bare or (known and self._addresses) else answer[1] + b"|" + HIDDEN
