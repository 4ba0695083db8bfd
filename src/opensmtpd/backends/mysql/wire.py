"""The packets of MySQL's protocol: three bytes of length, one of sequence, and what follows.

Source: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html and
https://mariadb.com/kb/en/clientserver-protocol/.
"""

from opensmtpd.backends.mysql.channel import PACKET_MAX, MysqlChannel
from opensmtpd.errors import ServerLate, ServerLost, ServerRefused, Unavailable
from opensmtpd.table import to_str

QUERY, PREPARE, EXECUTE, FORGET = b"\x03", b"\x16", b"\x17", b"\x19"
"""Commands."""
ERROR, END = 0xFF, 0xFE
"""First bytes of packets."""
_NULL, _TWO, _THREE, _EIGHT = 0xFB, 0xFC, 0xFD, 0xFE
"""First bytes of a number of more than one byte; of NULL in rows of text, which we have none of."""
_WIDTHS = {_TWO: 2, _THREE: 3, _EIGHT: 8}

_LATE = frozenset([1205, 1969, 3024])
"""Errors that say that time is over: of a lock, and of a statement (MariaDB, MySQL)."""
_LOST = frozenset([1053, 1152, 1184, 1243, 1317, 1615, 1927, 3169, 4031])
"""Errors that a new connection mends: the server stops, the connection was killed, or nobody had
used it for too long, the query was interrupted, the statement is not known, or is to be prepared
anew."""
_TEXT_MAX = 300


class Wire:
    """Packets over a channel."""

    def __init__(self, channel: MysqlChannel) -> None:
        self.channel = channel
        self._next = 0

    def command(self, payload: bytes) -> None:
        """Send a command. Raises ServerLost, also for an answer that nobody asked for, ServerLate.

        There is none to ``FORGET``.
        """
        self.channel.quiet()
        self._next = 1
        self.channel.sendall(len(payload).to_bytes(4, "little") + payload)

    def packet(self) -> bytes:
        """Return the next packet of the answer, which is no error.

        Raises ServerLost, ServerLate, and ServerRefused for what an error packet says.
        """
        head = self.channel.read(4)
        size, number = int.from_bytes(head[:3], "little"), head[3]
        if size > PACKET_MAX:
            raise self.give_up(f"more than {PACKET_MAX} bytes in a row")
        payload = self.channel.read(size)
        if not payload:
            raise ServerLost("an empty packet")
        if payload[0] == ERROR:
            raise refusal(payload, asked=number == self._next)
        if number != self._next:
            raise ServerLost(f"packet {number} came in the place of packet {self._next}")
        self._next = (number + 1) & 0xFF
        return payload

    def give_up(self, reason: str) -> ServerRefused:
        """Close the channel, for what is left of the answer may have no end; return the reason."""
        self.channel.close()
        return ServerRefused(reason)

    def done(self, sql: str) -> None:
        """Have the server do a statement that gives no rows. Raises as ``packet``."""
        self.command(QUERY + sql.encode())
        if self.packet()[0]:
            raise ServerLost("no answer to a statement")

    def end(self) -> None:
        """Read the packet that ends a list. Raises as ``packet``."""
        if not is_end(self.packet()):
            raise ServerLost("a list does not end")


def is_end(payload: bytes) -> bool:
    """Return whether a packet ends a list."""
    return payload[0] == END and len(payload) < 9


def refusal(payload: bytes, asked: bool = True) -> Unavailable:
    """Return the exception for an error packet.

    ``asked`` is False where nobody had asked: the server says so why it closes the connection.
    """
    code, state, text = int.from_bytes(payload[1:3], "little"), b"", payload[3:]
    if text[:1] == b"#":
        state, text = text[1:6], text[6:]
    words = f"error {code}: {to_str(text[:_TEXT_MAX])}"
    if code in _LATE:
        return ServerLate(words)
    if not asked or code in _LOST or state[:2] == b"08":  # 08: class of lost connections
        return ServerLost(words)
    return ServerRefused(words)


def number(raw: bytes, at: int) -> tuple[int, int]:
    """Return a length-encoded number, and where it ends. Raises ServerLost."""
    try:
        first = raw[at]
        if first < _NULL:
            return first, at + 1
        end = at + 1 + _WIDTHS[first]
    except (IndexError, KeyError):
        raise ServerLost("a packet with a wrong length") from None
    if end > len(raw):
        raise ServerLost("a packet with a wrong length")
    return int.from_bytes(raw[at + 1 : end], "little"), end


def string(raw: bytes, at: int) -> tuple[bytes, int]:
    """Return a length-encoded string, and where it ends. Raises ServerLost."""
    length, begin = number(raw, at)
    end = begin + length
    if end > len(raw):
        raise ServerLost("a packet with a wrong length")
    return raw[begin:end], end


def encoded(text: bytes) -> bytes:
    """Return a string with its length before it."""
    length = len(text)
    if length < _NULL:
        return bytes([length]) + text
    for first, width in _WIDTHS.items():
        if length < 1 << 8 * width:
            return bytes([first]) + length.to_bytes(width, "little") + text
    raise AssertionError("a string of 2^64 bytes")
