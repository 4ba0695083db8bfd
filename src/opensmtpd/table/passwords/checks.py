"""Have passwords checked by a worker: the side of the process that smtpd talks to."""

from functools import cache
from typing import Any

from opensmtpd.answer import Deferred
from opensmtpd.errors import LocalError, Unavailable
from opensmtpd.worker import Pool

SECONDS = 2.0
"""Time for a password: smtpd asks no other table, for no other mail, until it has the answer."""


class Checks:
    """The worker that checks the passwords of a table."""

    def __init__(self) -> None:
        """Start it. Raises ConfigError."""
        self.pool = Pool("opensmtpd.table.passwords.worker:Hashes", deadline=SECONDS)

    def ask(self, password: str, hash: str | None, user: str) -> Deferred[bool]:
        """Return a Deferred that tells whether ``hash`` is one of ``password``: see ``verify``.

        It fails with LocalError for a hash that cannot be checked, and with Unavailable where the
        worker does not answer in time, or dies of it. Both name the user, where there is a hash.
        """
        result: Deferred[bool] = Deferred()
        whose = f"{user}: " if hash is not None else ""

        def end(reply: Any, error: BaseException | None) -> None:
            if isinstance(reply, bool):
                result.settle(reply)
            elif isinstance(reply, str):
                result.fail(LocalError(reply))
            else:
                reason = error or "the worker's reply is none"
                result.fail(Unavailable(f"{whose}the password was not checked: {reason}"))

        self.pool.ask([password, hash, user]).on_end(end)
        return result


@cache
def checks() -> Checks:
    """Return the worker of this process; it is started when first asked for. Raises ConfigError."""
    return Checks()
