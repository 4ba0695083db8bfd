"""Write a table: the base class, the services, and the values that smtpd takes.

``Table`` is overridden. ``opensmtpd.table.file`` reads files as table(5) has them,
``opensmtpd.table.matching`` matches keys as smtpd does, and ``opensmtpd.table.passwords`` checks
and makes hashes of passwords.
"""

from opensmtpd.table.base import Table, TableAnswer
from opensmtpd.table.limits import HOME_MAX, ID_MAX, KEY_MAX, VALUE_MAX
from opensmtpd.table.matching import Patterns
from opensmtpd.table.service import SERVICES, Service
from opensmtpd.table.text import lower, to_bytes, to_str
from opensmtpd.table.values import encode, valid

__all__ = [
    "HOME_MAX",
    "ID_MAX",
    "KEY_MAX",
    "SERVICES",
    "VALUE_MAX",
    "Patterns",
    "Service",
    "Table",
    "TableAnswer",
    "encode",
    "lower",
    "to_bytes",
    "to_str",
    "valid",
]
