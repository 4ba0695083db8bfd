"""Write a table: the base class, the services, and the values that smtpd takes.

``Table`` is overridden. ``opensmtpd.table.file`` reads files as table(5) has them,
``opensmtpd.table.matching`` matches keys as smtpd does, and ``opensmtpd.table.passwords`` checks
and makes hashes of passwords.
"""

from typing import TYPE_CHECKING, Any

from opensmtpd.table.base import Table, TableAnswer
from opensmtpd.table.limits import KEY_MAX, VALUE_MAX
from opensmtpd.table.service import Service
from opensmtpd.table.text import lower, to_bytes, to_str

if TYPE_CHECKING:
    from opensmtpd.table.matching import Patterns

__all__ = [
    "KEY_MAX",
    "VALUE_MAX",
    "Patterns",
    "Service",
    "Table",
    "TableAnswer",
    "lower",
    "to_bytes",
    "to_str",
]


def __getattr__(name: str) -> Any:
    """Import what the workers of tables do not need when it is asked for: it takes 10 ms."""
    if name == "Patterns":
        from opensmtpd.table.matching import Patterns  # noqa: PLC0415  see above

        return Patterns
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
