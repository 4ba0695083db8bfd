"""The kinds of rows that a table can have, by the use that smtpd.conf makes of it."""

from enum import StrEnum


class RowKind(StrEnum):
    """The columns of a table's rows (see the table at the top of ``schema``)."""

    LIST = "list"
    MAPPING = "mapping"
    CREDENTIALS = "credentials"
    USERINFO = "userinfo"
