"""The fields that are put in front of a copy: its state, its id, and its envelope."""

from collections.abc import Sequence

ACCEPTED, DOUBTFUL = b"accepted", b"doubtful"
"""The states of a copy: they are as long as each other, so that one is written over the other."""
STATUS = b"X-Archive-Status: "
LINE_MAX = 979
"""Bytes of an address, at most (RFC 5322 section 2.1.1, for the whole line)."""


def head(ident: str, sender: bytes, recipients: Sequence[bytes]) -> bytes:
    """Return the fields, each with its line feed. The state is doubtful until smtpd accepts it."""
    lines = [
        STATUS + DOUBTFUL,
        b"X-Archive-Id: " + ident.encode("ascii"),
        b"X-Envelope-From: <%b>" % sender[:LINE_MAX],
        *(b"X-Envelope-To: <%b>" % each[:LINE_MAX] for each in recipients),
    ]
    return b"".join(line + b"\n" for line in lines)
