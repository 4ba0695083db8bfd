"""The outcome of a step for all milters of a client, as plain data that a worker can send."""

from enum import IntEnum
from typing import Any, NamedTuple


class MilterFate(IntEnum):
    """The fates of a command or a message; the milters that come later were not asked then."""

    GOES_ON = 0
    """No milter minds."""
    REFUSED = 1
    FAILED = 2
    """A milter cannot be asked, and ``--fail`` does not let mail pass then."""


class MilterOutcome(NamedTuple):
    """The outcome of a step."""

    fate: MilterFate
    code: int = 0
    """The code of the reply, 400 to 599, of a refusal."""
    text: str = ""
    """The text of the reply, of a refusal; the reason, of a failure."""
    milter: int = -1
    """The index of the milter that is the cause, -1 for none."""
    wanted: bool = True
    """False where no milter wants more: of the session, or of the body of a message."""
    discarded: bool = False
    """True where a milter wants the message to be accepted, and nobody to get it. smtpd cannot do
    that, so the others are asked, too."""
    lost: tuple[tuple[int, str], ...] = ()
    """The milters that cannot be asked any more in this session, each with the reason."""

    def plain(self) -> list[Any]:
        """Return plain data."""
        return [int(self.fate), *self[1:-1], [list(each) for each in self.lost]]

    @classmethod
    def of(cls, data: list[Any]) -> "MilterOutcome":
        """Return the outcome in plain data."""
        fate, code, text, milter, wanted, discarded, lost = data
        pairs = tuple((index, reason) for index, reason in lost)
        return cls(MilterFate(fate), code, text, milter, wanted, discarded, pairs)


class MailEdits(NamedTuple):
    """All that milters have changed in a message, as plain data."""

    removed: list[int]
    replaced: list[list[Any]]
    inserted: list[list[Any]]
    """The three of ``header.HeaderEdits``."""
    body: bytes | None
    """A new body, in whole lines with line feeds; None for the old."""
    quarantined: list[str]
    """The reasons for which it is to be kept from its recipients."""
    envelope: list[str]
    """Changes of the envelope, in words: nothing can make them."""
