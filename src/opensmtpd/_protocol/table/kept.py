"""Answers that were given, kept to be given again while the table's stamp is the same.

A stamp (``Table.stamp``) is taken before the table is asked and again behind it, and an answer is
kept where both are the same: a change in between would go unseen otherwise. It is given again where
the stamp of a later request is the same yet. So no answer is older than a change that was complete
when its question came, if no change leaves the stamp as it was.
"""

from typing import TypeAlias

from opensmtpd._protocol.table.requests import Request
from opensmtpd.table import Service, Table

ENTRIES = 4096
"""Answers that are kept."""
BYTES = 4 << 20
"""Memory for them, counted with ENTRY_COST for each."""
ENTRY_COST = 400
"""Bytes that an answer takes besides its own and those of its key."""
NEVER = frozenset([Service.AUTH, Service.CREDENTIALS, Service.SOURCE, Service.RELAYHOST])
"""Services whose answers are not kept: passwords, and lists that are taken in turn."""

Asked: TypeAlias = tuple[Request, bytes]
"""A kind of request, and its key."""


def stamped(table: Table, request: Request, key: object) -> tuple[object, object]:
    """Ask the table; return its stamp, None where that changed meanwhile, and the result."""
    service = request.service
    assert service is not None
    with table.hold(service):
        stamp = table.stamp(service)
        result = request.call(key)
        if stamp is not None and table.stamp(service) != stamp:
            stamp = None
    return stamp, result


class Kept:
    """The answers: bytes that follow the id, as ``Request.encode`` makes them.

    They come in two halves. When the young one is full, the old one goes, and the young grow old.
    """

    def __init__(self) -> None:
        self._young: dict[Asked, tuple[object, bytes]] = {}
        self._old: dict[Asked, tuple[object, bytes]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._young | self._old)

    def find(self, asked: Asked) -> tuple[object, bytes] | None:
        """Return the stamp and the answer that were kept last, None where there are none."""
        return self._young.get(asked) or self._old.get(asked)

    def keep(self, asked: Asked, stamp: object, answer: bytes) -> None:
        """Keep an answer. Raises MemoryError."""
        self._young[asked] = stamp, answer
        self._size += ENTRY_COST + len(asked[1]) + len(answer)
        if len(self._young) >= ENTRIES // 2 or self._size >= BYTES // 2:
            self._old = self._young
            self._young, self._size = {}, 0

    def forget(self) -> None:
        """Forget all."""
        self._young, self._old, self._size = {}, {}, 0
