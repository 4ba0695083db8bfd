"""Sessions that came when there were too many: they are refused until they end.

Nothing is kept of such a session but its id. It stays refused when others have gone meanwhile: of a
message whose first lines were dropped, the rest must not pass.
"""

from opensmtpd._protocol.bounds import SESSIONS_MAX, Complaint
from opensmtpd._protocol.dispatch import Log
from opensmtpd._protocol.filter import wire
from opensmtpd.filter import Reject

TOO_MANY = Reject(421, "4.3.2 Too many sessions at once, please try again later")
"""smtpd ends the session with it."""


class TurnedAway:
    """The sessions that are refused."""

    def __init__(self, log: Log) -> None:
        self._sessions: set[bytes] = set()
        self._complaint = Complaint(log, "session-refused", SESSIONS_MAX)

    def __len__(self) -> int:
        """Return the number of them."""
        return len(self._sessions)

    def has(self, line: wire.Line, known: int, now: float) -> bool:
        """Return whether the session of a line is refused; ``known`` are those that are not.

        The line is of no session that is known.
        """
        session = line.session
        if session not in self._sessions:
            if known < SESSIONS_MAX or line.event == "link-disconnect":
                return False
            self._sessions.add(session)
            self._complaint.make(now)
        elif line.event == "link-disconnect":
            self._sessions.discard(session)
        return True

    def answer(self, line: wire.Line) -> bytes:
        """Return the answer to a request, ``b""`` for none: of a message the final dot alone."""
        if line.kind == b"report":
            return b""
        token, _, fields = line.fields.partition(b"|")
        if line.event != "data-line":
            return wire.result(line.event, line.session, token, TOO_MANY)
        if fields != b".":
            return b""
        return wire.dataline_prefix(line.session, token) + b".\n"
