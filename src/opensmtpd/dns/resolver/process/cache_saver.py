"""Saves a cache to its file while it changes."""

import time
from collections.abc import Coroutine, Iterator
from typing import Any

from opensmtpd.dns.resolver.cache import Cache, CacheEntry
from opensmtpd.dns.resolver.process import cache_file
from opensmtpd.errors import LocalError
from opensmtpd.log import log

SAVE_EVERY = 60.0
"""Seconds from a change to the save."""


class CacheSaver:
    """Loads a cache from its file and saves it there."""

    def __init__(self, path: str, cache: Cache) -> None:
        """Fill the cache from the file; log why, where the file cannot be used."""
        self._path = path
        self._cache = cache
        self._waiting = False
        self._unwritable = ""
        ahead = _wall_ahead()
        try:
            entries = cache_file.load(path)
        except LocalError as error:
            log("dns-cache-ignored", file=path, reason=error)
            return
        shifted = (each._replace(expires=each.expires - ahead) for each in entries)
        cache.restore(shifted, time.monotonic())

    @property
    def wants_to_save(self) -> bool:
        """Return whether there are changes and no save is scheduled."""
        return self._cache.changed and not self._waiting

    def save_soon(self) -> Coroutine[Any, Any, None]:
        """Return a coroutine that saves after ``SAVE_EVERY`` seconds, in a thread."""
        self._waiting = True
        return self._save_later()

    async def _save_later(self) -> None:
        import asyncio  # noqa: PLC0415  only where there is a loop

        await asyncio.sleep(SAVE_EVERY)
        self._waiting = False
        if self._cache.changed:
            await asyncio.to_thread(self._write, self._snapshot())

    def save(self) -> None:
        """Save now, if there are changes."""
        if self._cache.changed:
            self._write(self._snapshot())

    def _snapshot(self) -> Iterator[CacheEntry]:
        ahead = _wall_ahead()
        self._cache.changed = False
        entries = self._cache.entries(time.monotonic())
        return (each._replace(expires=each.expires + ahead) for each in entries)

    def _write(self, entries: Iterator[CacheEntry]) -> None:
        try:
            cache_file.save(self._path, entries)
        except Exception as error:  # the cache works without its file
            strerror = error.strerror if isinstance(error, OSError) else None
            reason = strerror or type(error).__name__
            if reason != self._unwritable:
                log("dns-cache-not-written", file=self._path, reason=reason)
            self._unwritable = reason
        else:
            self._unwritable = ""


def _wall_ahead() -> float:
    """Return the seconds by which the wall clock is ahead of the monotonic clock."""
    return time.time() - time.monotonic()
