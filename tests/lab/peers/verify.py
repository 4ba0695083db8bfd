"""The independent judge of signatures: dkimpy, with the test name server's keys."""

import re

import dkim

from lab.peers.nameserver import txt


def signatures(message: bytes) -> int:
    """Count the DKIM-Signature fields of a delivered message (LF line ends)."""
    header = message.partition(b"\n\n")[0]
    return sum(line.lower().startswith(b"dkim-signature:") for line in header.split(b"\n"))


def flaw(message: bytes) -> str | None:
    """Return what is wrong with the topmost DKIM signature of a delivered message, None if nothing.

    A delivered file has LF where the wire had CRLF, after a CR of the message's own too, so each
    LF is turned back into CRLF, whatever stands before it.
    """
    judge = dkim.DKIM(_readable(message).replace(b"\n", b"\r\n"))
    try:
        return None if judge.verify(dnsfunc=txt) else "the signature does not hold"
    except dkim.DKIMException as error:
        return str(error)


def verifies(message: bytes) -> bool:
    """Tell whether the topmost DKIM signature of a delivered message holds."""
    return flaw(message) is None


def _readable(message: bytes) -> bytes:
    """Leave out fields whose name has white space: dkimpy raises, and no signature covers one."""
    header, blank, body = message.partition(b"\n\n")
    fields = re.split(rb"\n(?![ \t])", header)
    return b"\n".join(one for one in fields if re.match(rb"[!-9;-~]+[ \t]*:", one)) + blank + body
