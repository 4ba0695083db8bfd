"""Mail addresses against rows: ``text_to_mailaddr`` (to.c) and ``mailaddr_match`` (util.c).

A row is ``user@domain``, ``@domain``, ``user@`` or ``user`` (both of any domain), or ``@`` for any
address; its domain is a pattern as in ``domain``. The last at sign is the one that counts. The tag
of an address (``user+tag``) is ignored unless the row's user holds the delimiter too.
"""

from collections.abc import Iterator

from opensmtpd.table.matching.domain import Domains, Match, domain_candidates
from opensmtpd.table.matching.text import folded

_PART_MAX = 255
"""Bytes of each part: SMTPD_MAXLOCALPARTSIZE and SMTPD_MAXDOMAINPARTSIZE less the final NUL."""


def _split(text: str) -> tuple[str, str] | None:
    """Return user and domain of an address or row, either maybe empty; None if one is too long."""
    user, sign, domain = text.rpartition("@")
    if not sign:
        user, domain = domain, ""
    return (user, domain) if max(len(user), len(domain)) <= _PART_MAX else None


def _users(user: str, delimiter: str) -> list[str]:
    """Return the users whose rows may match: with the tag, and without."""
    bare = user.partition(delimiter)[0] if delimiter else user
    return [each for each in dict.fromkeys((user, bare)) if each]


def mailaddr_candidates(key: str, delimiter: str) -> Iterator[str]:
    """Yield the rows that match an address, the most specific first, all in lower case.

    The user decides before the domain does, as when smtpd expands virtual users (aliases.c), and
    of two that differ in the tag alone the one with it comes first.
    """
    address = _split(key)
    if address is None:
        return
    user, domain = address
    users = _users(user, delimiter)
    domains = [domain, *domain_candidates(domain, _PART_MAX)] if domain else []
    rows = [f"{each}@{pattern}" for pattern in domains for each in users]
    for each in users:
        rows.append(f"{each}@")
        if "@" not in each:  # or it would be read as user and domain
            rows.append(each)
    rows += [f"@{pattern}" for pattern in domains]
    rows.append("@")
    yield from (row for row in rows if row != key)


class Mailaddrs:
    """An index of rows."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._anywhere: dict[str, str] = {}  # rows without domain, as they were written
        self._domains = Domains()

    def add(self, row: str) -> None:
        """Add a row. Raises ValueError for one with a part that is too long: it matches nothing."""
        text = folded(row)
        address = _split(text)
        if address is None:
            raise ValueError(f"a user or a domain of over {_PART_MAX} bytes")
        user, domain = address
        if domain:
            self._domains.put(domain, row, f"{user}@")
        else:
            self._anywhere.setdefault(row if text == row else text, row)

    def find(self, key: str) -> str | None:
        """Return the most specific row that matches an address in lower case."""
        address = _split(key)
        if address is None:
            return None
        user, domain = address
        users = _users(user, self._delimiter)
        match = self._best([f"{each}@" for each in users], domain)
        row = None if match is None else match.row
        if row is None:
            row = self._of_any_domain(key, users)
        if row is None and (match := self._domains.best(domain, "@")) is not None:
            row = match.row
        return self._anywhere.get("@") if row is None else row

    def _best(self, owners: list[str], domain: str) -> Match | None:
        matches = [self._domains.best(domain, owner) for owner in owners]
        # Of equals the first one, which has the tag.
        return max(filter(None, matches), key=lambda match: match.rank, default=None)

    def _of_any_domain(self, key: str, users: list[str]) -> str | None:
        if key in self._anywhere:
            return self._anywhere[key]
        for user in users:
            row = self._anywhere.get(f"{user}@")
            if row is None and "@" not in user:
                row = self._anywhere.get(user)
            if row is not None:
                return row
        return None
