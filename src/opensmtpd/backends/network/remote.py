"""An Asker whose connection is in a worker."""

import itertools
from collections.abc import Sequence
from time import monotonic
from typing import Any

from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.backends.network.worker import (
    ASK,
    CHECK,
    CLOSE,
    MORE,
    USE,
    ReplyTooLarge,
    UnknownConfiguration,
    unpacked,
)
from opensmtpd.errors import ConfigError, ServerLate, ServerLost, ServerRefused, WorkerError
from opensmtpd.worker import Pool

_numbers = itertools.count()
_KINDS = {
    kind.__name__: kind
    for kind in (
        ConfigError,
        ServerLate,
        ServerLost,
        ServerRefused,
        ReplyTooLarge,
        UnknownConfiguration,
    )
}


class Remote:
    """Asks a ConnectionWorker. One that is late is killed: nothing that it says later counts."""

    def __init__(self, pool: Pool, data: Any) -> None:
        """``data`` is what ``Backend.plain`` returned."""
        self._pool, self._data, self._number = pool, data, next(_numbers)

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the replies. Raises ServerLost, ServerLate, ServerRefused."""
        try:
            replies: list[ServerReply] = self._request(ASK, list(questions), until)
        except ReplyTooLarge:
            replies = self._in_parts(until)
        return replies

    def check(self, until: float) -> list[Fault]:
        """Return the faults. Raises ServerLost, ServerLate, ServerRefused."""
        faults: list[Fault] = self._request(CHECK, None, until)
        return faults

    def close(self) -> None:
        """Have the connection closed, and do not wait for that."""
        self._pool.ask([CLOSE, self._number, None, 1.0])

    def _in_parts(self, until: float) -> Any:
        """Return the replies that the worker has, and that are too large for one frame."""
        body, length = b"", 1
        while len(body) < length:
            try:
                length, part = self._asked(MORE, len(body), until)
            except UnknownConfiguration:  # it is another worker
                part = b""
            if not part:
                raise ServerLost("the worker died before it had sent all rows")
            body += part
        return unpacked(body)

    def _request(self, kind: int, data: Any, until: float) -> Any:
        try:
            return self._asked(kind, data, until)
        except UnknownConfiguration:
            pass
        self._asked(USE, self._data, until)
        try:
            return self._asked(kind, data, until)
        except UnknownConfiguration:  # the one that knew it has died, and of what it was asked
            raise ServerRefused("the worker died of this question, twice") from None

    def _asked(self, kind: int, data: Any, until: float) -> Any:
        seconds = until - monotonic()
        if seconds <= 0:
            raise ServerLate("no time is left")
        try:
            return self._pool.request([kind, self._number, data, seconds], seconds)
        except WorkerError as error:
            known = _KINDS.get(error.kind)
            if known is not None:
                raise known(str(error)) from None
            if error.kind:
                raise ServerRefused(str(error)) from None
            raise ServerLate(str(error)) from None
