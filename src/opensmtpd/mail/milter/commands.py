"""The data of the frames that an MTA sends: a function for each command that has any.

Strings are C strings: a NUL ends them, and those in what a client sent are left out. The formats
are those that libmilter reads in ``engine.c`` (``st_connectinfo``, ``dec_argv``, ``dec_arg2``).
"""

from collections.abc import Iterable, Iterator
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


def connection(hostname: bytes, address: IPv4Address | IPv6Address, port: int) -> bytes:
    """Return the data of CONNECT.

    ``hostname`` is the client's name in the DNS; where it has none, its address in brackets takes
    the place, as from Sendmail.
    """
    shown = str(address).encode()
    return b"%s%d%s%s" % (
        strings([hostname or b"[%s]" % shown]),
        address.version,  # SMFIA_INET and SMFIA_INET6
        port.to_bytes(2),
        strings([shown]),
    )


def envelope(address: bytes) -> bytes:
    """Return the data of MAIL and of RCPT. smtpd tells filters of no ESMTP arguments."""
    return strings([b"<%s>" % address])


def header_field(name: bytes, value: bytes) -> bytes:
    """Return the data of HEADER.

    Folds are line feeds. Of a value too long for a frame, the milter gets the beginning: libmilter
    closes the connection at a frame longer than it takes.
    """
    name = name.replace(b"\0", b"")[: DATA_MAX - 2]
    return strings([name, value.replace(b"\0", b"")[: DATA_MAX - 2 - len(name)]])


def chunks(lines: bytes) -> Iterator[bytes]:
    """Yield lines of a body for BODY: with CRLF, cut into pieces of DATA_MAX bytes.

    ``lines`` end in line feeds. All pieces but the last are full; there is none for no lines.
    """
    data = lines.replace(b"\n", b"\r\n")
    for at in range(0, len(data), DATA_MAX):
        yield data[at : at + DATA_MAX]
