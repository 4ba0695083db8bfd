"""The worker that asks the server: it may wait there, up to the time of a step."""

import time
from collections.abc import Callable
from typing import Any

from opensmtpd.backends.network import names
from opensmtpd.backends.state.valkey.address import address
from opensmtpd.backends.state.valkey.store import ValkeyStore
from opensmtpd.errors import ServerLate, ServerLost, Unavailable
from opensmtpd.log import log
from opensmtpd.needs import Needs
from opensmtpd.worker import Worker

QUIET = 60.0
"""Seconds between two log lines about values that are not ours."""

clock: Callable[[], float] = time.monotonic


class ValkeyWorker(Worker):
    """Takes steps: a request is the time until when, and a step. Its setup: URL, prefix."""

    title = "state"
    threads = True  # host names are looked up in one

    def __init__(self) -> None:
        self._store: ValkeyStore | None = None
        self._told_at = -QUIET

    def load(self, setup: Any) -> str:
        """Return the name of the server, for the log. Raises ConfigError."""
        url, prefix = setup
        found = address(url, prefix)
        self._store = ValkeyStore(found)
        place = found.place
        if place.path:
            self.needs = Needs(sockets=(place.path,))
        else:
            names.prepare()
            self.needs = names.NEEDS
        return place.name

    def handle(self, request: Any) -> Any:
        """Return the reply to a step. Raises Unavailable."""
        assert self._store is not None
        until, *step = request
        try:
            if clock() > until:
                raise ServerLate("no time left")
            reply = self._store.take(until, *step)
        except (ServerLost, ServerLate) as error:
            self._store.close()
            raise Unavailable(str(error)) from None
        self._tell_refused(self._store)
        return reply

    def _tell_refused(self, store: ValkeyStore) -> None:
        now = clock()
        if store.refused and now - self._told_at >= QUIET:
            log("state-not-ours", values=store.refused, server=store.link.place.name)
            store.refused, self._told_at = 0, now
