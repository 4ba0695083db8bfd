"""The loading of a worker's data, by a stem that is new or a copy: it is waited for."""

import select
import time
from typing import Any

from opensmtpd.errors import ConfigError, LocalError, ProtocolError
from opensmtpd.worker.ends import GONE, StemEnd
from opensmtpd.worker.frames import pack
from opensmtpd.worker.stem_orders import LOAD
from opensmtpd.worker.worker import HELLO, VALUE

WITHIN = 30.0
"""Seconds that a load may take."""
ENDED = "a worker ended while it was loading; its own line in the log may say why"


class Loading:
    """A stem that loads; ``Pool.use`` puts it and its workers in the place of those of before."""

    def __init__(self, stem: StemEnd) -> None:
        self.stem: StemEnd | None = stem
        self.in_order = True

    def load(self, setup: object, within: float = WITHIN) -> Any:
        """Return what the worker's ``load`` returns. It waits, and may be called in a thread.

        Raises ConfigError with the text of the worker's own, or where it fails otherwise.
        """
        assert self.stem is not None
        try:
            frame = pack([LOAD, setup])
        except LocalError as error:
            raise ConfigError(str(error)) from None
        self.stem.send(frame)
        kind, answer = self._answer(time.monotonic() + within)
        try:
            if kind == VALUE:
                self.in_order, loaded = answer[0]
                return loaded
            name, text = answer
        except (ValueError, TypeError, LookupError):
            raise ConfigError(ENDED) from None
        raise ConfigError(text or f"{name} in a worker that loads")

    def _answer(self, until: float) -> tuple[int, list[Any]]:
        """Return the stem's reply: its kind, and what is in it. Raises ConfigError."""
        assert self.stem is not None
        poll = select.poll()
        try:
            while (left := until - time.monotonic()) > 0:
                self.stem.flush()
                poll.register(self.stem, select.POLLIN | (select.POLLOUT if self.stem.full else 0))
                poll.poll(left * 1000 + 1)
                for kind, _, *answer in self.stem.receive():
                    if kind == HELLO:
                        self.stem.pid, self.stem.serves = int(answer[0]), True
                    else:
                        return kind, answer
        except (EOFError, ProtocolError, ValueError, TypeError, LookupError):
            raise ConfigError(ENDED) from None
        raise ConfigError("a worker does not end its loading")

    def close(self) -> None:
        """End the stem, unless it is in use."""
        if self.stem is not None:
            self.stem.close()
            GONE.append(self.stem.pid)
            self.stem = None

    def __del__(self) -> None:  # of one that was loaded too late for anybody to use it
        self.close()
