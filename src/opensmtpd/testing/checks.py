"""The checks that a program makes when it starts, for plugins that a test makes itself."""

from opensmtpd._protocol.filter.registration import registrations
from opensmtpd._protocol.table.registration import check_methods, check_services
from opensmtpd.filter import Filter
from opensmtpd.table import Table


def check_filter(filter: Filter) -> None:
    """Raise LocalError as ``run.filter`` does, and TypeError for what is no filter."""
    _check_kind(filter, Filter, "filter")
    registrations(filter)


def check_table(table: Table) -> None:
    """Raise LocalError as ``run.table`` does, and TypeError for what is no table."""
    _check_kind(table, Table, "table")
    check_services(table)
    check_methods(table)


def check_bytes(name: str, value: object) -> None:
    """Raise TypeError for a value that is not bytes."""
    if not isinstance(value, bytes):
        raise TypeError(f"{name} is bytes, not {type(value).__name__}")


def _check_kind(plugin: object, kind: type, name: str) -> None:
    if isinstance(plugin, type):
        raise TypeError(f"a {name} is an object: write {plugin.__name__}(), not {plugin.__name__}")
    if not isinstance(plugin, kind):
        raise TypeError(f"a {name} inherits from {kind.__name__}, and {type(plugin).__name__} not")
