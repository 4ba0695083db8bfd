"""The kinds of rows that a table can have, by the use that smtpd.conf makes of it."""

from enum import StrEnum


class RowKind(StrEnum):
    """The columns of a table's rows: ``database.schema`` lists them."""

    LIST = "list"
    MAPPING = "mapping"
    CREDENTIALS = "credentials"
    USERINFO = "userinfo"
