"""The state of a filter for another program: a command takes single steps, and waits for each.

The filter may use the state meanwhile. What is not there is not made, and a damaged file is left to
the filter, which moves it aside.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from opensmtpd.backends.state import steps
from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore
from opensmtpd.backends.state.results import Kept
from opensmtpd.backends.state.valkey.address import address
from opensmtpd.backends.state.valkey.store import ValkeyStore
from opensmtpd.errors import ConfigError, ServerLate, ServerLost

DEADLINE = 5.0
"""Seconds that a server has for a step, and another program for a lock of the file."""


class ExistingState:
    """Steps as those of ``LastingState``. Methods raise what the function that made it says."""

    def __init__(self, name: str, take: Callable[..., Any], close: Callable[[], None]) -> None:
        """``take`` takes a step, as ``steps`` has them, and returns its reply."""
        self._name, self._take = name, take
        self.close = close

    def get(self, key: Sequence[str]) -> Kept | None:
        """Return the bytes that were put, None where there are none."""
        try:
            return steps.kept(self._take(steps.GET, steps.key_of(key)))
        except (ValueError, TypeError):
            raise ServerLost(f"{self._name}: it answers nonsense") from None

    def forget(self, key: Sequence[str]) -> None:
        """Forget all that steps of any kind know of a key."""
        self._take(steps.FORGET, steps.key_of(key))


def in_file(path: str) -> ExistingState:
    """Return the state in a file of our effective user, and of nobody else.

    It and its steps raise ConfigError for a file that is no state, or is damaged, OSError, and
    sqlite3.Error where it cannot be used now.
    """
    with _telling_damage(path):
        store = StepStore(database.existing(path, DEADLINE))

    def take(*step: Any) -> Any:
        with _telling_damage(path):
            return store.take(*step)

    return ExistingState(path, take, store.close)


@contextmanager
def _telling_damage(path: str) -> Iterator[None]:
    """Raise ConfigError in the place of errors by which SQLite says that a file is damaged."""
    try:
        yield
    except sqlite3.Error as error:
        if not database.is_damage(error):
            raise
        remedy = "name the file that --state of the filter names"
        fault = "is no state of a filter, or is damaged"
        raise ConfigError(fault, path=path, remedy=remedy) from None


def on_server(url: str, prefix: str) -> ExistingState:
    """Return the state on a server, whose keys begin with ``prefix``, where the URL has no other.

    It raises ConfigError for a URL, or a file that it names, that cannot be used, and its steps
    raise ServerLost, ServerLate with the name of the server, and ConfigError for bytes that were
    put with another secret than that of the URL.
    """
    place = address(url, prefix)
    store = ValkeyStore(place)
    name = place.place.name

    def take(*step: Any) -> Any:
        try:
            reply = store.take(monotonic() + DEADLINE, *step)
        except (ServerLost, ServerLate) as error:
            raise type(error)(f"{name}: {error}") from None
        if store.refused:
            remedy = "give the URL that --state of the filter has, with its secret_file"
            raise ConfigError(f"{name}: a value has the seal of another secret", remedy=remedy)
        return reply

    return ExistingState(name, take, store.close)
