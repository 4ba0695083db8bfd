"""Passwords, checked by Dovecot: a client of its socket for clients (``auth-client``).

It checks passwords and logs nobody in. The mechanism is PLAIN (RFC 4616), whose fields stand in
base64: no user name and no password can be more than a field.
"""

import base64
import os

from opensmtpd.backends.dovecot.channel import NUMBER, LineChannel
from opensmtpd.backends.dovecot.codec import join, parameters
from opensmtpd.errors import ServerLost, ServerRefused
from opensmtpd.table import to_str

_PARAMETERS = (b"secured", b"no-penalty")
"""smtpd takes AUTH over TLS or from its own machine only. And the client's address is not known:
Dovecot would have all users wait together for what one of them mistyped."""
_UNCHECKED = (b"proxy", b"anonymous")
"""Fields of an ``OK`` that need not say that the password is right: another server would check it,
or nobody."""
REASON_MAX = 120
FIELDS_MAX = 4096
"""Bytes of user and password: Dovecot hangs up at a line of more than 8,192 (2.3) or 16,384, which
must not count as if it were away."""


class AuthClient:
    """A connection that has shaken hands."""

    def __init__(self, path: str, service: str, until: float) -> None:
        """Connect. Raises ServerLost, ServerLate."""
        self._service = service.encode()
        self._channel = LineChannel(path, join(b"CPID", b"%d" % os.getpid()), until)
        try:
            self._greet(until)
        except BaseException:
            self.close()
            raise

    def _greet(self, until: float) -> None:
        """Read what Dovecot says of itself."""
        mechanisms = []
        verb = b""
        while verb != b"DONE":
            verb, *fields = self._channel.receive(until)
            if verb == b"MECH":
                mechanisms += fields[:1]
        if b"PLAIN" not in mechanisms:
            raise ServerLost("Dovecot does not offer PLAIN; say auth_mechanisms = plain there")

    def authenticate(self, user: bytes, password: bytes, until: float) -> bool:
        """Return whether the password is the user's. Raises ServerLost, ServerLate, ServerRefused.

        ServerRefused is for what Dovecot cannot tell: its own database may be away.
        """
        if not user or not password or b"\0" in user + password:
            return False  # RFC 4616: no field is empty or has a NUL
        if len(user) + len(password) > FIELDS_MAX:
            return False
        response = base64.b64encode(b"\0".join((b"", user, password)))
        service = b"service=" + self._service
        request = (b"AUTH", NUMBER, b"PLAIN", service, *_PARAMETERS, b"resp=" + response)
        verb, fields = self._channel.ask(join(*request), until)
        if verb == b"OK":
            return _is_right(parameters(fields))
        if verb == b"FAIL":
            return _fail(parameters(fields))
        raise ServerLost("Dovecot answered neither OK nor FAIL")

    def close(self) -> None:
        """Close it. Never raises."""
        self._channel.close()


def _is_right(given: dict[bytes, bytes]) -> bool:
    """Return what ``OK`` means. Raises ServerRefused where it does not mean that all is well."""
    for name in _UNCHECKED:
        if name in given:
            field = name.decode()
            raise ServerRefused(f"Dovecot did not check the password itself: it says {field}")
    return b"nologin" not in given


def _fail(given: dict[bytes, bytes]) -> bool:
    """Return that the password is refused. Raises ServerRefused for a failure of Dovecot's own."""
    if b"temp" in given or given.get(b"code") == b"temp_fail":
        reason = to_str(given.get(b"reason", b"a temporary failure"))[:REASON_MAX]
        raise ServerRefused(f"Dovecot says {reason}")
    return False
