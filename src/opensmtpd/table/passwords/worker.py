"""The worker in which a table's passwords are checked: ``table-passwd: hashes``.

Its memory and its time for a hash are limited, whatever a row asks for.
"""

from typing import Any

from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs
from opensmtpd.table.passwords import cost, verification
from opensmtpd.worker import Worker


class Hashes(Worker):
    """Takes ``[password, hash or None, user]``; replies with a bool, or the text of an error."""

    title = "hashes"
    needs = Needs()
    memory = cost.MEMORY_MAX + (192 << 20)
    """Bytes that a hash may have, and those that Python and the libraries take."""

    def load(self, setup: Any) -> None:
        """Load the libraries."""
        verification.prepare()

    def handle(self, request: Any) -> bool | str:
        """Compare a password with a hash."""
        password, hash, user = request
        try:
            return verification.verify(password, hash, user)
        except LocalError as error:
            return str(error)
