"""table-sqlite: aliases, users, domains and the rest from an SQLite database.

In smtpd.conf::

    table aliases sqlite:/etc/mail/sqlite.conf

Takes the configuration files of the C table-sqlite and gives the same answers. table-sqlite(5)
describes them, what there is besides, and where the two differ.
"""

import argparse
import os
from contextlib import AbstractContextManager, nullcontext

from opensmtpd import options, run
from opensmtpd.backends.sql.config import Statement
from opensmtpd.backends.sql.patterns import PatternIndex
from opensmtpd.backends.sql.rows import JOINED, Rotation, joined, text, value
from opensmtpd.backends.sqlite import config
from opensmtpd.backends.sqlite.clock import Clock
from opensmtpd.backends.sqlite.connection import Interrupted
from opensmtpd.backends.sqlite.database import LOAD_SECONDS, START_SECONDS
from opensmtpd.backends.sqlite.reader import Reader
from opensmtpd.backends.sqlite.statements import check_alone
from opensmtpd.backends.sqlite.wal.remote import WalPool
from opensmtpd.errors import ConfigError, HandlerTimeout, Unavailable
from opensmtpd.log import log
from opensmtpd.needs import Needs, no_sandbox
from opensmtpd.table import Patterns, Service, Table

EPILOG = """\
In smtpd.conf:

  table aliases sqlite:/etc/mail/sqlite.conf

and in /etc/mail/sqlite.conf, where '?' stands for the key:

  dbpath /etc/mail/smtp.sqlite
  query_alias SELECT destination FROM aliases WHERE name = ?
"""


class Sqlite(Table):
    """Asks the database anew for each key: what others change counts at once."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for a configuration that no database makes good.

        What is the database's fault, or may be, is an error when it is asked, for that may end by
        itself, and somebody else may have caused it; with ``-n`` it is one at once.
        """
        self.path: str = flags.path
        read = config.read(self.path)
        if not read.sandbox:
            no_sandbox()
        # The folder: SQLite opens the database itself, and looks for its journals there.
        names = (read.dbpath, os.path.realpath(read.dbpath))
        folders = tuple(dict.fromkeys(os.path.dirname(os.path.abspath(name)) for name in names))
        self.needs = Needs(reads=(self.path, *folders), locks=True)
        self.worker = WalPool(folders)
        self.state = State(read, self.worker)
        self.services = self.state.config.services
        self.force_auth = self.state.config.force_auth
        self.delimiter = self.state.config.delimiter
        check_alone(self.state.config)
        try:
            if flags.check:
                self.state.learn()
            else:
                self.state.learn_what_can_be()
        except Unavailable as error:
            if flags.check:
                line = self.state.config.dbpath_line
                raise ConfigError(str(error), path=self.path, line=line) from None
            log("database-unavailable", reason=error)

    def start(self) -> None:
        """Start the worker: a database may be in WAL mode later. Raises ConfigError."""
        self.worker.start()
        Clock.rest()  # no thread may run that the sandbox would not reach

    def stop(self) -> None:
        """End the worker."""
        self.worker.close()

    def update(self) -> None:
        """Read the configuration anew. Raises ConfigError, Unavailable, and keeps the old one."""
        new = State(config.read(self.path), self.worker)
        check_alone(new.config)
        try:
            new.learn()
        except BaseException:
            new.database.close()
            raise
        self.state.database.close()
        self.state = new
        self.delimiter = new.config.delimiter

    def check(self, service: Service, key: str) -> bool:
        """Return whether there is a row, with any content."""
        return self.state.database.row(self.state.query(service), key) is not None

    def lookup(self, service: Service, key: str) -> str | None:
        """Return the first row's value; of ``alias`` and ``mailaddrmap`` those of all rows."""
        state = self.state
        statement = state.query(service)
        if service in JOINED:
            return joined(state.database.rows(statement, key))
        row = state.database.row(statement, key)
        return None if row is None else value(service, row)

    def stamp(self, service: Service) -> object | None:
        """Return one object as long as the answers are the same, None where that is not known."""
        return self.state.stamp(service)

    def snapshot(self) -> AbstractContextManager[None]:
        """Answer several lookups from one state of the database."""
        return self.state.database.snapshot()

    def hold(self, service: Service) -> AbstractContextManager[None]:
        """Have an answer and its stamp come from one state of the database.

        To read patterns, or to match them, may take long: no writer waits for that.
        """
        return self.state.hold(service)

    def patterns(self, service: Service) -> Patterns | None:
        """Return the rows of ``patterns_SERVICE``, as they are now."""
        return self.state.patterns(service)

    def fetch(self, service: Service) -> str | None:
        """Return the next row of ``fetch_SERVICE``."""
        return self.state.fetch(service)


class State:
    """A configuration, its database, and what is kept in memory of that."""

    def __init__(self, new: config.Config, worker: WalPool) -> None:
        self.config = new
        self.database = Reader(new, worker)
        self._queries = {
            service: statement
            for service in Service
            if (statement := new.statements.get(f"query_{service}")) is not None
        }
        self._patterns = {
            service: statement
            for service in Service
            if (statement := new.statements.get(f"patterns_{service}")) is not None
        }
        self._indexes: dict[Service, PatternIndex] = {}
        self._versions: dict[Service, object] = {}
        """The versions of the database of which the indexes are."""
        self._rotations: dict[Service, Rotation] = {}

    def learn(self) -> None:
        """Check the statements and read what is to be indexed: here it may take its time.

        Raises ConfigError, Unavailable.
        """
        self.database.check()
        self._load()

    def learn_what_can_be(self) -> None:
        """Do the same, but only log a statement that cannot be used. Raises Unavailable."""
        for fault in self.database.faults():
            log("query-unusable", reason=fault)
        self._load()

    def _load(self) -> None:
        for service in self._patterns:
            self.patterns(service, START_SECONDS)

    def query(self, service: Service) -> Statement:
        """Return ``query_SERVICE``. Raises ConfigError."""
        statement = self._queries.get(service)
        if statement is None:
            raise ConfigError(f"no query_{service}", path=self.config.path)
        return statement

    def stamp(self, service: Service) -> object | None:
        """Return one object as long as the answers of ``query_SERVICE`` are the same, or None."""
        statement = self._queries.get(service)
        return None if statement is None else self.database.stamp(statement)

    def hold(self, service: Service) -> AbstractContextManager[None]:
        """Return a context in which the database stays as it is, until patterns are needed.

        Those of REGEX are needed at once.
        """
        if service is Service.REGEX and service in self._patterns:
            return nullcontext()
        return self.database.hold(version=service in self._patterns)

    def patterns(self, service: Service, seconds: float = LOAD_SECONDS) -> Patterns | None:
        """Return the index of ``patterns_SERVICE``, if there are any. Raises Unavailable.

        Regular expressions are compiled at start and by ``smtpctl update table`` only: that takes
        too long for a lookup.
        """
        statement = self._patterns.get(service)
        if statement is None:
            return None
        index = self._indexes.get(service)
        if index is not None and service is Service.REGEX:
            return index.patterns
        version = self.database.version()
        self.database.let_go()
        if index is None or version != self._versions[service]:
            try:
                rows = [text(row[0]) for row in self.database.all_rows(statement, seconds)]
                if index is None or not index.still(rows):
                    delimiter, path = self.config.delimiter, self.config.path
                    index = self._indexes[service] = PatternIndex(service, rows, delimiter, path)
            except (HandlerTimeout, Interrupted) as error:  # any other is over with its cause
                if index is None:
                    raise
                remedy = "smtpctl update table"
                log("patterns-kept", service=service, reason=error, remedy=remedy)
            self._versions[service] = version  # or what is cut off would be read with each key
        return index.patterns

    def fetch(self, service: Service) -> str | None:
        """Return the next row of ``fetch_SERVICE``. Raises ConfigError, Unavailable."""
        statement = self.config.statement(f"fetch_{service}")
        rotation = self._rotations.get(service)
        if rotation is None or rotation.spent(self.config):
            rows = self.database.all_rows(statement)
            rotation = self._rotations[service] = Rotation(text(row[0]) for row in rows)
        return rotation.next()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-sqlite", "Serve tables from SQLite.", EPILOG)


def main() -> None:
    """Run table-sqlite."""
    run.table(Sqlite, parser())


if __name__ == "__main__":
    main()
