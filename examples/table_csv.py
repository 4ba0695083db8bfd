#!/usr/bin/python3
"""Aliases from a CSV file, a name and its recipients in each line: ``sales,alice,bob``.

    table aliases csv:/etc/mail/aliases.csv
    action "local" maildir alias <aliases>

It must be called table-csv. ``smtpctl update table aliases`` has it read the file again.
"""

import csv
from argparse import Namespace

from opensmtpd import options, run
from opensmtpd.errors import ConfigError
from opensmtpd.table import Service, Table


class Csv(Table):
    services = (Service.ALIAS,)

    def __init__(self, flags: Namespace) -> None:
        self.path = flags.path
        self.update()

    def update(self) -> None:
        try:
            with open(self.path, encoding="utf-8", newline="") as file:
                rows = [row for row in csv.reader(file) if len(row) > 1]
        except (OSError, ValueError, csv.Error) as error:  # the old rows stay in use
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{reason}", path=self.path) from None
        self.rows = {name.strip().lower(): ", ".join(others) for name, *others in rows}

    def lookup(self, service: Service, key: str) -> str | None:
        return self.rows.get(key)


if __name__ == "__main__":
    run.table(Csv, options.table_parser("table-csv", __doc__))
