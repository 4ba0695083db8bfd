"""table-flat: plain files in the format of table(5).

In smtpd.conf::

    table aliases flat:/etc/mail/aliases

Serves the files of smtpd's own ``file:`` tables, for every service and with the same meaning. A
file that has become unusable is refused when it is read again, and the rows of before stay.

In the file, comments that only this program reads: ``# @delimiter -`` sets the delimiter of tags
in mail addresses, ``# @auth`` has passwords checked here, ``# @auth force`` with an smtpd before
7.9, too; ``# @sandbox no`` keeps all rights.
"""

import argparse
import re
from array import array
from collections.abc import Callable, Iterator
from itertools import islice

from opensmtpd import options, run
from opensmtpd.errors import ConfigError
from opensmtpd.log import log
from opensmtpd.needs import Needs, no_sandbox
from opensmtpd.table import VALUE_MAX, Patterns, Service, Table, passwords, to_bytes
from opensmtpd.table.file import FileKind, TableFile, auth_directive, lines, sandbox_directive

EPILOG = """\
In smtpd.conf:

  table aliases flat:/etc/mail/aliases

and in /etc/mail/aliases, as table(5) describes it:

  root:  alice, bob@example.org

A file of credentials with the line "# @auth" has passwords checked here, so that hashes may be of
kinds that smtpd itself does not know. "# @delimiter -" is for smtpd's "smtp sub-addr-delim".
"""

SERVICES = frozenset(Service) - {Service.AUTH}
INDEXED = frozenset([Service.DOMAIN, Service.NETADDR, Service.MAILADDR, Service.REGEX])
"""Services whose rows may match other keys than their own (``keycmp`` in ``table_static.c``)."""
LOOKS = {
    Service.DOMAIN: re.compile(r"[a-z0-9*_.-]*\.[a-z0-9*_-]*[a-z*]"),
    Service.NETADDR: re.compile(r"(ipv6:)?[0-9\[][0-9a-fx.:]*(/[0-9]+)?\]?"),
    Service.MAILADDR: re.compile(r"[^*]*@.*", re.DOTALL),
    Service.REGEX: re.compile(r".*[\^$|()\\].*", re.DOTALL),
}
"""The form of a row of a list that is likely used for a service."""
SAMPLE = 1000
"""Rows at which that is looked for."""
PLAIN: dict[Service, Callable[[str], object]] = {
    Service.DOMAIN: lambda row: "*" not in row,
    Service.NETADDR: re.compile(r"((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2})").fullmatch,
}
"""True for a row that matches no key but its own, so that no index needs it."""


class Content:
    """The rows of a file, and the settings in its comments."""

    def __init__(self, path: str) -> None:
        """Read it. Raises ConfigError."""
        file = TableFile(lines(path), path)
        self.path = path
        self.rows: dict[str, str] = {}
        self._lines = array("I")  # where the rows stand, in their order
        for line, key, value in file:
            if key not in self.rows:
                self._lines.append(line)
            # The answer for a row of a list is the row. Of the same key the last row counts.
            self.rows[key] = key if value is None else value
            size = len(to_bytes(value or key))
            if size > VALUE_MAX:
                remedy = f"smtpd takes {VALUE_MAX}: shorten it, or use :include:"
                raise ConfigError(f"a value of {size} bytes", path=path, line=line, remedy=remedy)
        self.auth = auth_directive(file.directives, path)
        self.sandbox = sandbox_directive(file.directives, path)
        self.delimiter = file.directives.get("delimiter", "+")
        if len(self.delimiter) != 1:
            fault = "@delimiter with other than one character"
            raise ConfigError(fault, path=path, remedy='write "# @delimiter -"')
        self._kind = file.kind
        self._indexes: dict[Service, Patterns] = {}
        self._unfinished: dict[Service, tuple[Patterns, list[str]]] = {}
        self._turns: list[str] | None = None
        self._turn = 0

    @property
    def indexed(self) -> list[Service]:
        """The services that have been asked for an index."""
        return list(self._indexes)

    @property
    def likely(self) -> list[Service]:
        """The services that a list is likely used for, by what its rows look like."""
        if self._kind is not FileKind.LIST:
            return []
        sample = list(islice(self.rows, SAMPLE))
        return [service for service, looks in LOOKS.items() if any(map(looks.fullmatch, sample))]

    def index(self, service: Service) -> Patterns:
        """Return the index of all rows, made when it is asked for first.

        Rows that match no key but their own are not in it.
        """
        found = self._indexes.get(service)
        if found is None:
            if service not in self._unfinished:
                rows = list(reversed(self.rows))
                if plain := PLAIN.get(service):
                    rows = [row for row in rows if not plain(row)]
                self._unfinished[service] = Patterns(service, (), self.delimiter), rows
            found, rows = self._unfinished[service]
            while rows:  # of many rows the watchdog lets us take some at a time
                found.add(rows[-1])
                rows.pop()
            self._indexes[service] = found
            del self._unfinished[service]
            if found.unreadable:
                self._complain(service, found)
        return found

    def _complain(self, service: Service, index: Patterns) -> None:
        first = index.unreadable[0]
        log(
            "rows-ignored",
            path=self.path,
            line=self._lines[list(self.rows).index(first)],
            service=service,
            count=len(index.unreadable),
            first=first,
            reason=index.reason,
        )

    def next(self) -> str | None:
        """Return the keys in turn, in the order of their bytes: ``table_static_fetch``."""
        if self._turns is None:
            self._turns = sorted(filter(None, self.rows), key=to_bytes)
        if not self._turns:
            return None
        key = self._turns[self._turn]
        self._turn = (self._turn + 1) % len(self._turns)
        return key


class Flat(Table):
    """Serves the rows of one file from memory."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for a file that cannot be used."""
        self.path: str = flags.path
        self._use(Content(self.path))
        for service in self.content.likely:  # now, lest the first lookup has to wait for it
            self.content.index(service)
        # Services are registered once: @auth that comes later waits for a restart of smtpd.
        self.services = SERVICES if self.content.auth is None else frozenset(Service)
        self.force_auth = self.content.auth == "force"
        self.needs = Needs(reads=(self.path,))
        if not self.content.sandbox:
            no_sandbox()
        if Service.AUTH in self.services and flags.check:
            passwords.check_rows(_hashes(self.path), self.path)

    def _use(self, content: Content) -> None:
        self.content = content
        self.delimiter = content.delimiter

    def update(self) -> None:
        """Read the file anew. Raises ConfigError and keeps the old rows."""
        new = Content(self.path)
        for service in {*self.content.indexed, *new.likely}:  # as at start
            new.index(service)
        self._use(new)

    def lookup(self, service: Service, key: str) -> str | None:
        """Return the value of a row; of a list, the row."""
        return self.content.rows.get(key)

    def check(self, service: Service, key: str) -> bool:
        """Return whether there is such a row."""
        return key in self.content.rows

    def patterns(self, service: Service) -> Patterns | None:
        """Return the index of a service whose rows have wildcards, networks or the like."""
        return self.content.index(service) if service in INDEXED else None

    def fetch(self, service: Service) -> str | None:
        """Return the next key."""
        return self.content.next()


def _hashes(path: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, user and hash of rows like ``key: user:hash`` or ``key: hash``."""
    for line, key, value in TableFile(lines(path), path):
        user, colon, hash = (value or key).partition(":")
        yield line, key, hash if colon else user


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-flat", "Serve a table from a plain file.", EPILOG)


def main() -> None:
    """Run table-flat."""
    run.table(Flat, parser())


if __name__ == "__main__":
    main()
