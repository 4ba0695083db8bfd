"""Users, looked up by Dovecot: a client of its socket ``auth-userdb``."""

from opensmtpd.backends.dovecot.channel import NUMBER, LineChannel
from opensmtpd.backends.dovecot.codec import join, parameters
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.table import to_str

LINE_MAX = 1024
"""Bytes of a request with its line end that Dovecot takes (``auth-master-connection.c``)."""


class Userdb:
    """A connection."""

    def __init__(self, path: str, service: str, until: float) -> None:
        """Connect. Raises ServerLost, ServerLate."""
        self._service = service.encode()
        self._channel = LineChannel(path, b"", until)
        try:
            while self._channel.receive(until)[0] != b"SPID":
                pass
        except BaseException:
            self.close()
            raise

    def user(self, name: bytes, until: float) -> dict[str, str] | None:
        """Return the fields of a user, None where there is none.

        Raises ServerLost, ServerLate, and ServerRefused for what Dovecot cannot tell, or will not.
        """
        request = join(b"USER", NUMBER, name, b"service=" + self._service)
        if not name or len(request) >= LINE_MAX:
            return None
        verb, fields = self._channel.ask(request, until)
        if verb == b"USER":
            found = {**parameters(fields[1:]), b"user": b"".join(fields[:1])}
            return {to_str(key): to_str(value) for key, value in found.items()}
        if verb == b"NOTFOUND":
            return None
        if verb == b"FAIL":
            raise ServerRefused("Dovecot cannot look the user up, or may not; see its log")
        raise ServerLost("Dovecot answered neither USER nor NOTFOUND")

    def close(self) -> None:
        """Close it. Never raises."""
        self._channel.close()
