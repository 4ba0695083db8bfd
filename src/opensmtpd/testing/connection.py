"""A filter or a table behind the protocol of smtpd, for ``Driver`` and ``replay``."""

from typing import Literal

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.filter import Filter
from opensmtpd.table import Table
from opensmtpd.testing.driver import Plugin


def filter_connection(
    filter: Filter, *, deadline: float = 60.0, on_failure: Literal["tempfail", "pass"] = "tempfail"
) -> Plugin:
    """Return the filter's end of its connection with smtpd: bytes go in, bytes come out.

    ``deadline`` (seconds) and ``on_failure`` are what the options of these names set. Raises
    LocalError for a filter whose ``uses`` names an attribute that sessions do not have.
    """
    return FilterConnection(filter, deadline=deadline, on_failure=on_failure)


def table_connection(table: Table) -> Plugin:
    """Return the table's end of its connection with smtpd: bytes go in, bytes come out."""
    return TableConnection(table)
