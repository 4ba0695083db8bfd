"""One connection to one server: commands go out at once, and their replies come in order."""

from collections.abc import Sequence

from opensmtpd.backends.network.stream import UNASKED, Stream, connected
from opensmtpd.backends.network.tls_loading import loaded_tls
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.resp import RespFailure, RespReader, RespReply, pack, simple
from opensmtpd.errors import ServerLost
from opensmtpd.table import to_bytes

AWAY = frozenset(["LOADING", "MASTERDOWN", "BUSY", "CLUSTERDOWN", "NOREPLICAS"])
"""Codes of a server that cannot answer anything now: it is as if it were not there."""

_HARMLESS = ("WRONGPASS", "NOAUTH", "DENIED", "ERR DB index", "ERR max number of clients")
"""Beginnings of errors that have nothing of what they answer."""
_TEXT_MAX = 60
"""Characters of such an error; that of protected mode is a page."""


class RedisLink:
    """A connection that is made by ``open``. ``until`` is a time of ``time.monotonic``.

    After ServerLost and ServerLate it is closed: no reply to an earlier command can come out of it.
    """

    def __init__(self, place: RedisPlace) -> None:
        """Reads the certificates. Raises ConfigError."""
        self.place = place
        self._stream: Stream | None = None
        self._tls = None
        if place.tls:
            tls = loaded_tls()
            context = tls.context(place.authorities, place.certificate, place.key)
            self._tls = lambda end, until: tls.TlsStream(end, context, place.host, until)

    def open(self, until: float) -> None:
        """Connect, log in and choose the database. Raises ServerLost, ServerLate."""
        self.close()
        place = self.place
        end = connected(place.path or (place.host, place.port), until)
        self._stream = self._tls(end, until) if self._tls else Stream(end)
        try:
            self._greet(self._stream, until)
        except BaseException:
            self.close()
            raise

    def _greet(self, end: Stream, until: float) -> None:
        commands = self._greetings()
        end.send(b"".join(map(pack, commands)), until)
        reader, count = RespReader(), 0
        while count < len(commands):
            for reply in reader.feed(end.receive(until)):
                # One may have been said before we asked: that we are not let in.
                _must_let_in(commands[min(count, len(commands) - 1)][0].decode(), reply)
                count += 1
        if count > len(commands) or reader.rest:
            raise ServerLost(UNASKED)

    def _greetings(self) -> list[list[bytes]]:
        """Return the commands that a connection begins with; PING tells a server that loads."""
        place = self.place
        user = [to_bytes(place.user)] if place.user else []
        login = [[b"AUTH", *user, to_bytes(place.password)]]
        select = [[b"SELECT", b"%d" % place.database]]
        return [
            *(login if place.password or place.user else []),
            *(select if place.database else []),
            [b"PING"],
        ]

    def exchange(self, data: bytes, count: int, until: float) -> list[RespReply]:
        """Send packed commands, and return their replies.

        An error that answers a command is a RespFailure among them, but for those of AWAY. Raises
        ServerLost, ServerLate.
        """
        try:
            if self._stream is None:
                raise ServerLost("it is not connected")
            received = self._stream.turn(data, until)
            if (replies := simple(received, count)) is not None:
                return replies
            return self._read(self._stream, received, count, until)
        except BaseException:
            self.close()
            raise

    def _read(self, end: Stream, received: bytes, count: int, until: float) -> list[RespReply]:
        reader = RespReader()
        replies = reader.feed(received)
        while len(replies) < count:
            replies += reader.feed(end.receive(until))
        if len(replies) > count or reader.rest:
            raise ServerLost(UNASKED)
        _none_is_away(replies)
        return replies

    def close(self) -> None:
        """Close it. Never raises."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _must_let_in(command: str, reply: RespReply) -> None:
    if not isinstance(reply, RespFailure) or [command, reply.code] == ["PING", "NOPERM"]:
        return
    _none_is_away([reply])
    # Any other text may have the operands, so the password, as that of an unknown command has.
    said = reply[:_TEXT_MAX] if reply.startswith(_HARMLESS) else reply.code
    raise ServerLost(f"it refuses {command}: {said}")


def _none_is_away(replies: Sequence[RespReply]) -> None:
    for reply in replies:
        if isinstance(reply, RespFailure) and reply.code in AWAY:
            raise ServerLost(f"it says {reply}")
