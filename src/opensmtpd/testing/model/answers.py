"""One line of a filter, cut as smtpd cuts it.

Sources: ``processor_io``, ``lka_filter_process_response`` and ``lka_report_proc`` in
``lka_filter.c`` of OpenSMTPD 7.6 and 7.9.
"""

import re
from typing import NamedTuple

from opensmtpd.testing.model.fatal import Fatal
from opensmtpd.testing.model.registry import Release

LINE_MAX = 65536
"""Bytes of a line, its line feed included, that fit into smtpd's buffer (``iobuf_read``)."""

_ID = re.compile(rb"[0-9A-Fa-f]{1,16}")
_DIRECTIVES = {b"rewrite", b"reject", b"disconnect", b"report"}


class FilterLine(NamedTuple):
    """An answer of a filter to one request, or one line of a message."""

    session: bytes
    """16 hexadecimal digits."""
    token: bytes
    phase: str
    """The phase that it answers; ``"data-line"`` for a line of a message."""
    text: bytes
    """``b"proceed"``, ``b"reject|550 No"``, …, or the line, dot-stuffed as it came."""

    @property
    def decision(self) -> str:
        """``"proceed"``, ``"junk"``, ``"reject"``, ``"disconnect"`` or ``"rewrite"``."""
        return self.text.partition(b"|")[0].decode("ascii")

    @property
    def parameter(self) -> bytes:
        """The text behind the decision, ``b""`` for none."""
        return self.text.partition(b"|")[2]


def parse(line: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return kind, session, token and response of a line; raises Fatal for any other text.

    Numbers must be plain hexadecimal digits, where smtpd's strtoull would take a sign and blanks.
    """
    if line.startswith(b"report|"):
        raise Fatal(report_trouble(line), line)
    if not line.startswith((b"filter-result|", b"filter-dataline|")):
        raise Fatal("Invalid filter message type", line)
    fields = line.split(b"|", 3)
    if len(fields) < 3 or not _ID.fullmatch(fields[1]):
        raise Fatal("Invalid reqid", line)
    if len(fields) < 4 or not _ID.fullmatch(fields[2]):
        raise Fatal("Invalid token", line)
    kind, session, token, response = fields
    return kind, session.lower().rjust(16, b"0"), token.lower().rjust(16, b"0"), response


def report_trouble(line: bytes) -> str:
    """Return the reason why smtpd dies of a free-standing report: there is no form that it takes.

    ``lka_report_proc`` takes the microseconds for the session and, having cut the direction out,
    an empty word for the direction.
    """
    time, _, rest = line[7:].partition(b"|")
    if not re.fullmatch(rb"[0-9]+\.[0-9]{6}", time):
        return "Invalid report: invalid time"
    if not rest.startswith(b"smtp-in|"):
        return "Invalid report: invalid direction"
    return "unexpected direction"


def check_decision(response: bytes, phase: str, release: Release, line: bytes) -> None:
    """Raise Fatal where ``response`` is no decision, or none for ``phase``.

    A carriage return at the end is fatal here for every decision; smtpd dies of it behind
    ``proceed`` and ``junk`` and passes it on to the client in the text of others.
    """
    name, bar, _ = response.partition(b"|")
    if response.endswith(b"\r"):
        raise Fatal("Invalid directive" if bar else "Missing parameter", line)
    if response == b"proceed":
        return
    if response == b"junk":
        if phase == "commit":
            # 7.9 wrote "response"; the words that both have in common are these.
            raise Fatal("junk after DATA", line)
        return
    if not bar:
        raise Fatal("Missing parameter", line)
    if name not in _DIRECTIVES or (name == b"report" and not release.report_decision):
        raise Fatal("Invalid directive", line)
