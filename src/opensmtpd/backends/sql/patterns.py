"""The rows of a database that are patterns, as a table has read them."""

from opensmtpd.log import log
from opensmtpd.table import Patterns, Service


class PatternIndex:
    """The rows of ``patterns_SERVICE`` as they were read last."""

    def __init__(self, service: Service, rows: list[str], delimiter: str, path: str) -> None:
        """Log how many rows are no patterns. ``path`` is that of the configuration."""
        self.patterns = Patterns(service, rows, delimiter)
        self._digest = hash(tuple(rows))
        if self.patterns.unreadable:
            log(
                "rows-ignored",
                path=path,
                service=service,
                count=len(self.patterns.unreadable),
                first=self.patterns.unreadable[0],
                reason=self.patterns.reason,
            )

    def still(self, rows: list[str]) -> bool:
        """Return whether the rows are these: most likely they are."""
        return hash(tuple(rows)) == self._digest
