"""Rows of a database as values for smtpd."""

import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from opensmtpd.backends.sql.config import COLUMNS
from opensmtpd.errors import LocalError
from opensmtpd.table import Service, to_bytes, to_str

JOINED = frozenset([Service.ALIAS, Service.MAILADDRMAP])
"""Services whose rows make up one list."""


class Limits(Protocol):
    """The limits of a rotation, as ``Queries`` has them."""

    expire: int
    refresh: int


def joined(rows: Iterable[Sequence[object]]) -> str | None:
    """Return the first cells of all rows as one list; None where there are none."""
    return ", ".join([cell for row in rows if (cell := text(row[0]))]) or None


def text(cell: object) -> str:
    """Return a cell as SQLite writes it, NULL as none."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bytes):
        return to_str(cell)
    if isinstance(cell, float):
        return _real(cell)
    return "" if cell is None else str(cell)


def _real(number: float) -> str:
    """Return ``%!.15g`` of SQLite's printf."""
    shown = f"{number or 0.0:.15g}"  # no -0
    mantissa, e, exponent = shown.partition("e")
    if "inf" in shown:
        return shown.replace("inf", "Inf")
    return (mantissa if "." in mantissa else f"{mantissa}.0") + e + exponent


def value(service: Service, row: Sequence[object]) -> str | None:
    """Return the value that smtpd is sent for a row; None where a cell is NULL or empty.

    Raises LocalError for a row of too few columns, and for a user or group id that is no number.
    """
    wanted = COLUMNS[f"query_{service}"]
    cells = [text(cell) for cell in row[:wanted]]  # more are those of a "SELECT *" that grew
    if len(cells) < wanted:
        raise LocalError(f"query_{service} gives {len(cells)} columns and should give {wanted}")
    if not all(cells):
        return None
    if service is Service.USERINFO:
        for name, cell in zip(("uid", "gid"), cells, strict=False):
            if not (cell.isascii() and cell.isdigit()):
                raise LocalError(f"a {name} that is no number")
    return ":".join(cells)


class Rotation:
    """Values in turn, in the order of their bytes as in C."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = sorted(set(filter(None, values)), key=to_bytes)
        self._calls = 0
        self._since = time.monotonic()

    def spent(self, limits: Limits) -> bool:
        """Return whether it is time to read them again."""
        age = time.monotonic() - self._since
        return self._calls >= limits.refresh or age >= limits.expire

    def next(self) -> str | None:
        """Return the next one, None where there is none."""
        self._calls += 1
        return self._values[(self._calls - 1) % len(self._values)] if self._values else None
