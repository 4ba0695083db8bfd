"""Questions to Dovecot, at its sockets for passwords and for users."""

from collections.abc import Sequence
from contextlib import closing
from time import monotonic
from typing import Any

from opensmtpd.backends.dovecot.auth import AuthClient
from opensmtpd.backends.dovecot.userdb import Userdb
from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.errors import ServerLate, ServerRefused
from opensmtpd.log import log
from opensmtpd.table import to_bytes

AUTH, USER = "auth", "user"
GREETING = 1.0
"""Seconds until Dovecot must have greeted: where it is stopped, the system still connects."""
DELAY = 1.5
"""Seconds: a refusal that takes longer is held back, most likely (``auth_failure_delay``)."""


class DovecotConnection:
    """Answers ``["auth", user, password]`` and ``["user", name, ...]``.

    The replies are a bool, and the fields of the first of the names that is a user's, or None. Each
    is asked for on a connection of its own: see ``channel``.
    """

    def __init__(self, data: Any) -> None:
        """``data`` are the paths of both sockets, "" for none, and the service."""
        self._auth, self._userdb, self._service = data
        self._told = False

    def connect(self, until: float) -> None:
        """Do nothing."""

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the replies. Raises ServerLost, ServerLate, ServerRefused."""
        return [self._ask(question, until) for question in questions]

    def _ask(self, question: ServerQuestion, until: float) -> ServerReply:
        kind, *words = question
        if kind == AUTH:
            user, password = words
            return self._authenticate(to_bytes(user), to_bytes(password), until)
        for name in words:
            with closing(self._users(until)) as users:
                found = users.user(to_bytes(name), until)
            if found is not None:
                return found
        return None

    def _passwords(self, until: float) -> AuthClient:
        return AuthClient(self._auth, self._service, soon(until))

    def _users(self, until: float) -> Userdb:
        return Userdb(self._userdb, self._service, soon(until))

    def _authenticate(self, user: bytes, password: bytes, until: float) -> bool:
        """Return whether it is right. Raises ServerLost, ServerLate, ServerRefused.

        A Dovecot that has greeted is not away: where it holds a refusal back for longer than there
        is time, others must be able to log in.
        """
        with closing(self._passwords(until)) as client:
            start = monotonic()
            try:
                right = client.authenticate(user, password, until)
            except ServerLate:
                self._delayed(monotonic() - start)
                raise ServerRefused("Dovecot did not judge the password in time") from None
        if not right:
            self._delayed(monotonic() - start)
        return right

    def _delayed(self, seconds: float) -> None:
        if seconds > DELAY and not self._told:
            self._told = True
            remedy = "set auth_failure_delay = 0 for smtp in Dovecot: all mail waits as long"
            log("auth-delayed", seconds=f"{seconds:.1f}", remedy=remedy)

    def check(self, until: float) -> list[Fault]:
        """Return no fault: each socket is there and greets. Raises ServerLost, ServerLate."""
        if self._auth:
            self._passwords(until).close()
        if self._userdb:
            self._users(until).close()
        return []

    def close(self) -> None:
        """Do nothing."""


def soon(until: float) -> float:
    """Return the time by which Dovecot must have greeted."""
    return min(until, monotonic() + GREETING)
