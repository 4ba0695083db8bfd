"""Write a table: the base class, the services, and the values that smtpd takes.

``Table`` is overridden. ``opensmtpd.table.file`` reads files as table(5) has them,
``opensmtpd.table.matching`` matches keys as smtpd does, and ``opensmtpd.table.passwords`` checks
and makes hashes of passwords.
"""

from opensmtpd.table.base import Table, TableAnswer
from opensmtpd.table.limits import KEY_MAX, VALUE_MAX
from opensmtpd.table.matching import Patterns
from opensmtpd.table.service import Service
from opensmtpd.table.text import lower, to_bytes, to_str

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
