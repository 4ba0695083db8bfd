"""Match keys with rows of a table, with the meaning that smtpd gives to rows of file tables.

smtpd asks other tables for the exact name only, so that ``*.example.org``, ``10.0.0.0/8`` or
``@example.org`` match only where the table itself applies what ``table_static.c`` does. A backend
that can only be asked for one row at a time is asked for the ``candidates`` of a key; rows that are
all in memory belong into ``Patterns``.

``domain``, ``mailaddr``, ``netaddr`` and ``regex`` each know the rows of the service of that name,
and ``text`` has the form in which all of them compare. Regular expressions are read by
``expression`` and ``brackets``, put together in ``positions`` and matched by an ``automaton``.

Everywhere case is ignored, as smtpd does by lower-casing keys and rows. Of rows that match, the
most specific is found; smtpd itself takes any. An empty row matches nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from opensmtpd.table.limits import KEY_MAX
from opensmtpd.table.matching.domain import Domains, domain_candidates
from opensmtpd.table.matching.mailaddr import Mailaddrs, mailaddr_candidates
from opensmtpd.table.matching.netaddr import Netaddrs, netaddr_candidates
from opensmtpd.table.matching.regex import Regexes
from opensmtpd.table.matching.text import as_bytes, as_text, folded
from opensmtpd.table.service import Service

__all__ = ["Patterns", "candidates"]


def candidates(service: Service, key: str, delimiter: str = "+") -> Iterator[str]:
    """Yield the rows under which a match may be stored, the most specific first, without ``key``.

    They are in lower case and each matches by smtpd's own rules. Domain: leading labels replaced by
    stars, then ``*``. Mailaddr: the same, with and without the user and its tag (``delimiter`` is
    smtpd's sub-addr-delim). Netaddr: every prefix length, for IPv6 in brackets and bare. Others,
    and keys longer than smtpd's: nothing. Rows of other shapes (``mail*.example.org``, ``*.*`` for
    a name of three labels, ``10/8``) only ``Patterns`` finds.
    """
    text = folded(key)
    if len(text) > KEY_MAX:
        return
    if service is Service.DOMAIN:
        rows = domain_candidates(text)
    elif service is Service.MAILADDR:
        rows = mailaddr_candidates(text, delimiter)
    elif service is Service.NETADDR:
        rows = netaddr_candidates(text)
    else:
        return
    yield from map(as_text, rows)


class _Index(Protocol):
    def add(self, row: str) -> None: ...

    def find(self, key: str) -> str | None: ...


class _Literals:
    """Rows of the services that know no patterns."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}

    def add(self, row: str) -> None:
        text = folded(row)
        self._rows.setdefault(row if text == row else text, row)

    def find(self, key: str) -> str | None:
        return self._rows.get(key)


class Patterns:
    """An index of all the rows of a table, in memory."""

    def __init__(self, service: Service, rows: Iterable[str], delimiter: str = "+") -> None:
        self.unreadable: list[str] = []
        """Rows, as written, that match no key that smtpd asks for: they are mistakes."""
        self.reason = ""
        """The fault of the first of them."""
        self._index = _index(service, delimiter)
        self._count = 0
        for row in rows:
            self.add(row)

    def add(self, row: str) -> None:
        """Take one more row."""
        try:
            if not row:
                raise ValueError("an empty row")
            if len(as_bytes(row)) > KEY_MAX:
                raise ValueError(f"over {KEY_MAX} bytes")
            self._index.add(row)
        except ValueError as error:
            self.reason = self.reason or str(error)
            self.unreadable.append(row)
        else:
            self._count += 1

    def __len__(self) -> int:
        """Return the number of rows that can match, those given twice counted twice."""
        return self._count

    def find(self, key: str) -> str | None:
        """Return the row, as written, that matches a key: the same, or else the most specific.

        Regular expressions have no order but that of the rows. Raises LocalError where they would
        take too long for a key; other services never fail.
        """
        text = folded(key)
        return self._index.find(text) if len(text) <= KEY_MAX else None


def _index(service: Service, delimiter: str) -> _Index:
    if service is Service.DOMAIN:
        return Domains()
    if service is Service.MAILADDR:
        return Mailaddrs(delimiter)
    if service is Service.NETADDR:
        return Netaddrs()
    return Regexes() if service is Service.REGEX else _Literals()
