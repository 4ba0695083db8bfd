"""A filter or a table behind the protocol of smtpd, for ``Driver`` and ``replay``."""

from typing import Literal

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.filter import Filter
from opensmtpd.table import Table
from opensmtpd.testing.checks import check_filter, check_table
from opensmtpd.testing.driver import Plugin


def filter_connection(
    filter: Filter, *, deadline: float = 60.0, on_failure: Literal["tempfail", "pass"] = "tempfail"
) -> Plugin:
    """Return the filter's end of its connection with smtpd: bytes go in, bytes come out.

    ``deadline`` (seconds) and ``on_failure`` are what the options of these names set. Raises
    LocalError for a filter that ``run.filter`` would not start: its ``uses``, say, names an
    attribute that sessions do not have. Raises TypeError for a class in its place.
    """
    check_filter(filter)
    return FilterConnection(filter, deadline=deadline, on_failure=on_failure)


def table_connection(table: Table) -> Plugin:
    """Return the table's end of its connection with smtpd: bytes go in, bytes come out.

    Raises LocalError for a table that ``run.table`` would not start: it has no method ``lookup``,
    say. Raises TypeError for a class in its place.
    """
    check_table(table)
    return TableConnection(table)
