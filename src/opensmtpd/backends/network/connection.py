"""One connection to a server, and what asks through it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from opensmtpd.errors import ServerLost, ServerRefused

ServerQuestion: TypeAlias = list[str]
"""Plain data that a connection understands: the name of a query, say, and a key."""
ServerReply: TypeAlias = Any
"""Plain data: rows, with cells of str (bytes that are no UTF-8 are surrogates) or None."""
Fault: TypeAlias = list[Any]
"""A fault of the configuration that the server tells: message, line (0 for none), remedy."""


class Connection(Protocol):
    """A connection to a server, which is not open when it is made.

    ``until`` is a time of ``time.monotonic``: no method waits longer. The methods raise ServerLost
    where the server cannot be reached, closes the connection or talks garbage, ServerLate where
    time is over: the caller calls ``close`` then, so that no later answer can come out of it.
    ``ask`` raises ServerRefused where the server answers a question with an error: the connection
    is good for the next one. ``connect`` may raise it for a login, which counts as ServerLost.
    """

    def connect(self, until: float) -> None:
        """Connect, log in, and prepare what is asked often."""

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the replies to all questions, in their order, with one round trip if possible."""

    def check(self, until: float) -> list[Fault]:
        """Return what the server finds wrong with the configuration: for ``-n``, and at start."""

    def close(self) -> None:
        """Close it, at once, whatever its state. It may be connected again. Never raises."""


class Asker(Protocol):
    """Something that asks the server: it connects where that is needed."""

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the replies, as ``Connection.ask``. Raises ServerLost, -Late, -Refused."""

    def check(self, until: float) -> list[Fault]:
        """Return the faults, as ``Connection.check``."""

    def close(self) -> None:
        """Close what is open."""


class Reconnecting:
    """An Asker over a connection of its own process.

    A connection that a server has closed meanwhile is replaced within the question, once. After
    any failure but ServerRefused it is closed: no answer to an earlier question can come out of it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open = False

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the replies. Raises ServerLost, ServerLate, ServerRefused."""
        replies: list[ServerReply]
        try:  # each request comes here: what ``_with`` does, in fewer calls
            replies = self._connection.ask(questions, until) if self._open else []
        except (ServerLost, OSError):  # it was closed meanwhile
            self.close()
            replies = []
        except ServerRefused:
            raise
        except BaseException:
            self.close()
            raise
        if not self._open:
            replies = self._with(self._connection.ask, questions, until)
        if len(replies) != len(questions):  # which is whose cannot be known
            self.close()
            raise ServerLost(f"{len(replies)} replies to {len(questions)} questions")
        return replies

    def check(self, until: float) -> list[Fault]:
        """Return the faults. Raises ServerLost, ServerLate, ServerRefused."""
        faults: list[Fault] = self._with(self._connection.check, until)
        return faults

    def _with(self, call: Callable[..., Any], *arguments: Any) -> Any:
        if self._open:
            try:
                return self._tried(call, *arguments)
            except ServerLost:  # it was closed meanwhile
                pass
        self._connect(arguments[-1])
        return self._tried(call, *arguments)

    def _connect(self, until: float) -> None:
        try:
            self._tried(self._connection.connect, until)
        except ServerRefused as error:  # a password, say: it is not to be tried with each question
            self.close()
            raise ServerLost(str(error)) from None
        self._open = True

    def _tried(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except ServerRefused:  # the server is well
            raise
        except OSError as error:  # one that the connection did not foresee
            self.close()
            raise ServerLost(error.strerror or type(error).__name__) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._open = False
        self._connection.close()
