"""The handshake of smtpd and a filter, before the first event.

smtpd sends ``config|KEY|VALUE`` lines that end with ``config|ready``, and is answered with the
names of the events to send. Source: ``lka_proc_config`` and ``processor_register`` in
``lka_filter.c``.
"""

from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.filter import wire
from opensmtpd._protocol.filter.registration import registrations
from opensmtpd.errors import ProtocolError
from opensmtpd.filter import Filter


class Handshake:
    """The configuration of one connection, and the protocol version that it speaks.

    Raises LocalError for a filter that uses an attribute that sessions lack.
    """

    def __init__(self, filter: Filter, dispatcher: Dispatcher) -> None:
        self.ready = False
        self.decoder = wire.Decoder(wire.NEWEST)
        self._version: bytes | None = None
        self._dispatcher = dispatcher
        self._filter = filter
        self._registrations = registrations(filter)

    def speak(self, version: bytes) -> None:
        """Read events as ``version`` orders them. Raises VersionError.

        smtpd 6.8 names its version in each event only.
        """
        if version != self._version:
            self.decoder = wire.Decoder(wire.version(version))
            self._version = version

    def config(self, line: bytes) -> bytes:
        """Take a ``config|`` line; return the answer, which is ``b""`` to all but the last.

        Raises VersionError, and ProtocolError for a line that comes after the last.
        """
        if self.ready:
            raise ProtocolError("a config line behind config|ready")
        key, _, value = line[7:].partition(b"|")
        if key == b"protocol":
            self.speak(value)
        elif key == b"smtp-session-timeout" and value.isdigit():
            # An answer that comes after smtpd gave up on the client is of no use.
            limit = max(1.0, 0.8 * int(value[:9]))
            self._dispatcher.deadline = min(self._dispatcher.deadline, limit)
        elif key == b"admd":
            self._filter.admd = value
        elif line == b"config|ready":
            self.ready = True
            reports, phases = self._registrations
            names = [f"report|smtp-in|{name}" for name in reports]
            if self._filter.outgoing:
                names += [f"report|smtp-out|{name}" for name in reports]
            names += [f"filter|smtp-in|{name}" for name in phases]
            return "".join(f"register|{name}\n" for name in [*names, "ready"]).encode("ascii")
        return b""
