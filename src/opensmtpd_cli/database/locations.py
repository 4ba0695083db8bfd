"""The place of a database, as the operator names it.

A path is an SQLite database. ``postgres:FILE``, ``mysql:FILE``, ``redis:FILE`` and ``ldap:FILE``
are on a server: FILE is a configuration file of the table of that name, which says how to connect;
its queries do not count, but for the filters of LDAP. So a password stands in a file, and in no
command line. Root reads it, and the files that it names, and connects, as ``acting.safely`` has it:
the file of somebody else could lead root to what only root may read, and send it anywhere.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from opensmtpd.errors import ConfigError, ServerLate, ServerLost
from opensmtpd_cli.database import connections, queries, sqlite
from opensmtpd_cli.database.connections import PlaceLines, ServerKind
from opensmtpd_cli.database.dialects import DIALECTS
from opensmtpd_cli.database.schema import CatalogueEntry
from opensmtpd_cli.database.server import ServerStore
from opensmtpd_cli.database.store import Store
from opensmtpd_cli.system import acting

if TYPE_CHECKING:
    from opensmtpd_cli.database.redis import RedisStore

REDIS, LDAP = "redis", "ldap"
_SERVER = re.compile(rf"({'|'.join([*DIALECTS, REDIS, LDAP])}):(.+)", re.DOTALL)


class Location(NamedTuple):
    """A place. ``kind`` is as in smtpd.conf; ``path`` of the database, or of FILE."""

    kind: str
    path: str

    @property
    def name(self) -> str:
        """The place as the operator names it."""
        return self.path if self.kind == "sqlite" else f"{self.kind}:{self.path}"

    @property
    def on_server(self) -> bool:
        """True where rows are on a server, and a configuration file may hold a password."""
        return self.kind != "sqlite"

    def configuration(self, entry: CatalogueEntry, delimiter: str = "+") -> str:
        """Return the configuration file of a table there. Raises ConfigError."""
        if not self.on_server:
            return queries.configuration(entry, self.path, delimiter)
        lines = connections.read(self.path).lines
        if self.kind == REDIS:
            return queries.of_redis(entry, lines, delimiter)
        return queries.of_server(entry, DIALECTS[self.kind], lines, delimiter)

    def target(self, path: str) -> str:
        """Return TYPE:PATH of a table in smtpd.conf whose configuration file is ``path``."""
        return f"{self.kind}:{path}"


def parse(text: str) -> Location:
    """Read what the operator gives."""
    found = _SERVER.fullmatch(text)
    if found:
        return Location(found[1], os.path.abspath(found[2]))
    return Location("sqlite", os.path.abspath(text))


@contextmanager
def opened(name: str, *, write: bool = False) -> Iterator[Store]:
    """Open a database; for writing in one transaction, undone where anything is raised.

    Raises ConfigError for any fault of the database.
    """
    place = parse(name)
    if not place.on_server:
        with sqlite.opened(name, write=write) as store:
            yield store
        return
    if place.kind == LDAP and not write:
        with _ldap(place) as directory:
            yield directory
        return
    with connected(place, write=write) as server:
        yield server


def copied(name: str) -> AbstractContextManager[Store]:
    """Open a database as it is at one moment, to read all of it. Raises ConfigError, OSError."""
    return opened(name) if parse(name).on_server else sqlite.copied(name)


def connected(
    place: Location, *, write: bool
) -> AbstractContextManager["ServerStore | RedisStore"]:
    """Connect to a server, for one transaction. Raises ConfigError for any fault of the server.

    A directory is refused: it can be read only.
    """
    if place.kind == LDAP:
        remedy = "change it with ldapmodify(1), in its own schema"
        raise ConfigError("an LDAP directory is read only", path=place.name, remedy=remedy)
    return _redis(place) if place.kind == REDIS else _sql(place, write=write)


@contextmanager
def _ldap(place: Location) -> Iterator[Store]:
    from opensmtpd_cli.database.ldap import LdapStore  # noqa: PLC0415  for few

    with acting.safely(place.path):
        directory = LdapStore(place.path)
    with closing(directory) as store:
        yield store


@contextmanager
def _redis(place: Location) -> Iterator["RedisStore"]:
    from opensmtpd_cli.database.redis import RedisStore  # noqa: PLC0415  for few

    with acting.safely(place.path):
        link = connections.redis_link(place.path)
    try:
        with acting.safely(place.path):
            link.open(time.monotonic() + connections.SECONDS)
        with _undone(RedisStore(link, place.name)) as store:
            yield store
            store.commit()
    except (ServerLate, ServerLost) as error:
        fault = f"no connection to Valkey or Redis: {error}"
        raise ConfigError(fault, path=place.path, remedy="see that the server runs") from None
    finally:
        link.close()


@contextmanager
def _sql(place: Location, *, write: bool) -> Iterator[ServerStore]:
    settings = connections.read(place.path)
    server = connections.of(place.kind)
    db = _connection(server, settings)
    store = None
    try:
        db.cursor().execute(server.begin[write])
        store = ServerStore(db, server.dialect, place.name)
        yield store
        store.commit()
    except server.errors as error:
        done = "it may be done or not; look" if store and store.ending else "nothing was done"
        fault = f"{done}: {connections.text(error)}"
        raise ConfigError(fault, path=place.name) from None
    finally:
        db.close()  # which undoes what was not committed
        if store and store.left:
            with suppress(Exception), closing(_connection(server, settings)) as another:
                for statement in store.left:
                    another.cursor().execute(statement)


def _connection(server: ServerKind, settings: PlaceLines) -> Any:
    try:
        with acting.safely(settings.path):
            return server.connect(settings)
    except server.errors as error:
        fault = f"no connection to {server.dialect.title}: {connections.text(error)}"
        raise ConfigError(fault, path=settings.path, remedy="see that the server runs") from None


@contextmanager
def _undone(store: "RedisStore") -> Iterator["RedisStore"]:
    """Remove new tables where anything is raised inside."""
    try:
        yield store
    except BaseException:
        with suppress(Exception):  # the first error counts; the connection may be lost
            store.undo()
        raise


def is_database(path: str) -> bool:
    """Return whether a file that is given to ``import`` is a database, and no smtpd.conf."""
    if parse(path).on_server:
        return True
    try:
        with open(path, "rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False
