"""X-Spam fields that a client wrote: forgeries of those that filters write."""

from collections.abc import Callable


def is_spam_field(name: bytes) -> bool:
    """Return whether a field with this name, in lower case, tells programs what is spam."""
    return name.startswith(b"x-spam")


class Cleaner:
    """Removes fields that the client wrote, those of ``forged``, so that nobody trusts them.

    ``forged`` is called with a name in lower case. By default the fields are X-Spam, which filing
    rules read.

    smtpd prepends its Received field to the client's header (RFC 5321 section 4.4). Lines in front
    of that field come from filters before this one, and stay.
    """

    def __init__(self, forged: Callable[[bytes], bool] = is_spam_field) -> None:
        self._forged = forged
        self._clients = False
        self._dropping = False

    def clean(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines of a run that stay: the same object if all do."""
        kept = [line for line in lines if self._keep(line)]
        return lines if len(kept) == len(lines) else kept

    def _keep(self, line: bytes) -> bool:
        if line[:1] not in (b" ", b"\t"):
            name = line.partition(b":")[0].rstrip(b" \t").lower()
            self._dropping = self._clients and self._forged(name)
            self._clients = self._clients or line[:9].lower() == b"received:"
        return not self._dropping
