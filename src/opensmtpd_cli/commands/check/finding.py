"""A finding of ``check``: one fault, where it is, and the remedy."""

from enum import StrEnum
from typing import NamedTuple

NOWHERE = ("", 0)
"""The place of a finding about the machine. Others are a ``Place``: a path, and a line."""


class Severity(StrEnum):
    """The degree of harm that a finding tells of."""

    ERROR = "error"
    """smtpd stops, mail is lost, or anybody may send mail through this server."""
    WARNING = "warning"
    """The server works, but not as its administrator means it to."""
    UNSEEN = "unseen"
    """Something that could not be looked at: nothing is known of it, good or bad."""


class Finding(NamedTuple):
    """One fault. ``path`` is ``""`` where it is in no file, and ``line`` 0 where in no line."""

    severity: Severity
    code: str
    """Words with hyphens, for programs that read the findings: ``filter-user-missing``."""
    path: str
    line: int
    fault: str
    """One sentence, without a full stop and without a password or a key."""
    why: str = ""
    """One sentence with a full stop: what follows from it; "" where the fault says that."""
    remedy: str = ""
    """A command, or the line to write."""


def error(
    code: str, place: tuple[str, int], fault: str, why: str = "", remedy: str = ""
) -> Finding:
    """Return a finding that stops smtpd, loses mail, or opens the server to all."""
    return Finding(Severity.ERROR, code, *place, fault, why, remedy)


def warning(
    code: str, place: tuple[str, int], fault: str, why: str = "", remedy: str = ""
) -> Finding:
    """Return a finding of something that works, but not as it is meant to."""
    return Finding(Severity.WARNING, code, *place, fault, why, remedy)


def unseen(
    code: str, place: tuple[str, int], fault: str, why: str = "", remedy: str = ""
) -> Finding:
    """Return a finding of something that could not be looked at."""
    return Finding(Severity.UNSEEN, code, *place, fault, why, remedy)
