"""The data of the frames that an MTA sends: a function for each command that has any.

Strings are C strings: a NUL ends them, and those in what a client sent are left out. The formats
are those that libmilter reads in ``engine.c`` (``st_connectinfo``, ``dec_argv``, ``dec_arg2``).
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from opensmtpd.mail.milter.frames import DATA_MAX


class Command(Enum):
    """The commands of an MTA, by their letters (SMFIC_*)."""

    OPTNEG = b"O"
    MACRO = b"D"
    CONNECT = b"C"
    HELO = b"H"
    MAIL = b"M"
    RCPT = b"R"
    DATA = b"T"
    HEADER = b"L"
    EOH = b"N"
    """The header is over."""
    BODY = b"B"
    EOM = b"E"
    """The message is over (SMFIC_BODYEOB)."""
    ABORT = b"A"
    QUIT = b"Q"


def strings(texts: Iterable[bytes]) -> bytes:
    """Return C strings."""
    return b"".join([text.replace(b"\0", b"") + b"\0" for text in texts])


def connection(
    hostname: bytes, address: IPv4Address | IPv6Address | bytes | None, port: int
) -> bytes:
    """Return the data of CONNECT.

    ``hostname`` is the client's name in the DNS; where it has none, its address in brackets takes
    the place, as from Sendmail. ``address`` is the path of a Unix socket if it is bytes, which has
    port 0 (SMFIA_UNIX), and None for a client of which nothing is known (SMFIA_UNKNOWN).
    """
    if address is None:
        return strings([hostname or b"unknown"]) + b"U"
    if isinstance(address, bytes):
        return strings([hostname or b"localhost"]) + b"L\0\0" + strings([address])
    shown = str(address).encode()
    return b"%s%d%s%s" % (
        strings([hostname or b"[%s]" % shown]),
        address.version,  # SMFIA_INET and SMFIA_INET6
        port.to_bytes(2),
        strings([shown]),
    )


def envelope(address: bytes, arguments: Sequence[bytes] = ()) -> bytes:
    """Return the data of MAIL and of RCPT: the address without ``<>``, ESMTP arguments."""
    return strings([b"<%s>" % address, *arguments])


def header_field(name: bytes, value: bytes) -> bytes:
    """Return the data of HEADER.

    Folds are line feeds. Of a value too long for a frame, the milter gets the beginning: libmilter
    closes the connection at a frame longer than it takes.
    """
    name = name.replace(b"\0", b"")[: DATA_MAX - 2]
    return strings([name, value.replace(b"\0", b"")[: DATA_MAX - 2 - len(name)]])


def chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body for BODY: its lines with CRLF, cut into pieces of DATA_MAX bytes.

    ``lines`` have no line ends. All pieces but the last are full; there is none for an empty body.
    """
    piece = bytearray()
    for line in lines:
        piece += line
        piece += b"\r\n"
        while len(piece) >= DATA_MAX:
            yield bytes(piece[:DATA_MAX])
            del piece[:DATA_MAX]
    if piece:
        yield bytes(piece)
