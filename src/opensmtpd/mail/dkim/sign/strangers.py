"""Authors' domains without a key, each of which the log names once."""

STRANGERS_MAX = 256
"""Domains that are remembered. Clients choose them, so that there must be a limit."""


class Strangers:
    """The domains without a key that the log has named; threads may share it."""

    def __init__(self) -> None:
        self._named: set[bytes] = set()

    def is_new(self, domain: bytes) -> bool:
        """Return whether the log is to name this domain now; never again, and none when full."""
        if self.full or domain in self._named:
            return False
        self._named.add(domain)
        return True

    @property
    def full(self) -> bool:
        """Return whether no further domain will be named."""
        return len(self._named) >= STRANGERS_MAX
