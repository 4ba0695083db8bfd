"""Keeps a cache in a file while it changes."""

import time
from collections.abc import Coroutine, Iterator
from typing import Any

from opensmtpd.dns import cachefile
from opensmtpd.dns.cache import Cache, Entry
from opensmtpd.errors import LocalError
from opensmtpd.log import log

SAVE_EVERY = 60.0
"""Seconds between two writings."""


class Keeper:
    """A cache and its file."""

    def __init__(self, path: str, cache: Cache) -> None:
        """Fill the cache from the file; one that cannot be used is a line in the log."""
        self._path = path
        self._cache = cache
        self._waiting = False
        self._unwritable = ""
        ahead = _wall_ahead()
        try:
            entries = cachefile.load(path)
        except LocalError as error:
            log("dns-cache-ignored", file=path, reason=error)
            return
        shifted = (each._replace(expires=each.expires - ahead) for each in entries)
        cache.restore(shifted, time.monotonic())

    @property
    def wants_to_save(self) -> bool:
        """Is there something to save, and nobody who will?"""
        return self._cache.changed and not self._waiting

    def save_soon(self) -> Coroutine[Any, Any, None]:
        """Return what saves after a while, in a thread."""
        self._waiting = True
        return self._save_later()

    async def _save_later(self) -> None:
        import asyncio  # noqa: PLC0415  only where there is a loop

        await asyncio.sleep(SAVE_EVERY)
        self._waiting = False
        if self._cache.changed:
            await asyncio.to_thread(self._write, self._snapshot())

    def save(self) -> None:
        """Save now what has changed."""
        if self._cache.changed:
            self._write(self._snapshot())

    def _snapshot(self) -> Iterator[Entry]:
        ahead = _wall_ahead()
        self._cache.changed = False
        entries = self._cache.entries(time.monotonic())
        return (each._replace(expires=each.expires + ahead) for each in entries)

    def _write(self, entries: Iterator[Entry]) -> None:
        try:
            cachefile.save(self._path, entries)
        except Exception as error:  # nobody waits for it
            strerror = error.strerror if isinstance(error, OSError) else None
            reason = strerror or type(error).__name__
            if reason != self._unwritable:
                log("dns-cache-not-written", file=self._path, reason=reason)
            self._unwritable = reason
        else:
            self._unwritable = ""


def _wall_ahead() -> float:
    """Return how far the clock on the wall is ahead of the one that never goes back."""
    return time.time() - time.monotonic()
