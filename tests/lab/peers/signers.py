"""Other people's signers: dkimpy, libopendkim and Mail::DKIM (in Perl).

The Debian packages libopendkim11 and libmail-dkim-perl bring the last two.
"""

import ctypes
import subprocess
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol

import dkim


class Wish(NamedTuple):
    """How a message is to be signed."""

    header: str
    """``"simple"`` or ``"relaxed"``."""
    body: str
    length: bool
    """Add ``l=`` (not Mail::DKIM)."""
    names: list[bytes]
    """The fields to sign, in lower case; From is one of them."""


class Signer(Protocol):
    """Signs for example.com, selector mail, with RSA and SHA-256."""

    def sign(self, message: bytes, wish: Wish) -> bytes:
        """Return the DKIM-Signature field of a message, with its line end."""


class Dkimpy:
    """The Python module dkim."""

    def __init__(self, pem: str) -> None:
        self._key = pem.encode("ascii")

    def sign(self, message: bytes, wish: Wish) -> bytes:
        """Return the field."""
        signed: bytes = dkim.sign(
            message,
            b"mail",
            b"example.com",
            self._key,
            canonicalize=(wish.header.encode(), wish.body.encode()),
            include_headers=wish.names,
            length=wish.length,
        )
        return signed


_POINTER, _INT, _TEXT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
_FUNCTIONS = {
    "dkim_init": (_POINTER, [_POINTER, _POINTER]),
    "dkim_options": (_INT, [_POINTER, _INT, _INT, _POINTER, _SIZE]),
    "dkim_sign": (
        _POINTER,
        [_POINTER, _TEXT, _POINTER, *[_TEXT] * 3, *[_INT] * 3, ctypes.c_ssize_t, _POINTER],
    ),
    "dkim_header": (_INT, [_POINTER, _TEXT, _SIZE]),
    "dkim_eoh": (_INT, [_POINTER]),
    "dkim_body": (_INT, [_POINTER, _TEXT, _SIZE]),
    "dkim_eom": (_INT, [_POINTER, _POINTER]),
    "dkim_getsighdr": (_INT, [_POINTER, _TEXT, _SIZE, _SIZE]),
    "dkim_free": (_INT, [_POINTER]),
}
"""What is used of libopendkim: type of the value, types of the arguments (dkim.h)."""
_SET, _FLAGS, _SIGN_HEADERS, _ADD_LENGTH, _RSA_SHA256 = 1, 0, 4, 4, 1


class OpenDkim:
    """The library of OpenDKIM. Raises OSError where it is not installed."""

    def __init__(self, pem: str) -> None:
        self._key = pem.encode("ascii")
        self._library = ctypes.CDLL("libopendkim.so.11")
        for name, (value, arguments) in _FUNCTIONS.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = value, arguments
        self._handle = self._library.dkim_init(None, None)

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._library, name)(*arguments)
        assert status == 0, (name, status)

    def sign(self, message: bytes, wish: Wish) -> bytes:
        """Return the field."""
        flags = ctypes.c_uint(_ADD_LENGTH if wish.length else 0)
        size = ctypes.sizeof(flags)
        self._call("dkim_options", self._handle, _SET, _FLAGS, ctypes.byref(flags), size)
        names = (_TEXT * (len(wish.names) + 1))(*wish.names, None)
        self._call("dkim_options", self._handle, _SET, _SIGN_HEADERS, names, ctypes.sizeof(_TEXT))
        forms = [("simple", "relaxed").index(name) for name in (wish.header, wish.body)]
        status = ctypes.c_int()
        one = self._library.dkim_sign(
            *(self._handle, b"id", None, self._key, b"mail", b"example.com", *forms),
            *(_RSA_SHA256, -1, ctypes.byref(status)),
        )
        assert status.value == 0
        header, _, body = message.partition(b"\r\n\r\n")
        for field in header.replace(b"\r\n ", b"\n ").replace(b"\r\n\t", b"\n\t").split(b"\r\n"):
            text = field.replace(b"\n", b"\r\n")
            self._call("dkim_header", one, text, len(text))
        self._call("dkim_eoh", one)
        if body:
            self._call("dkim_body", one, body, len(body))
        self._call("dkim_eom", one, None)
        found = ctypes.create_string_buffer(1 << 16)
        self._call("dkim_getsighdr", one, found, len(found), len("DKIM-Signature: "))
        self._call("dkim_free", one)
        return b"DKIM-Signature: " + found.value + b"\r\n"


_PERL = r"""
use strict; use warnings; use Mail::DKIM::Signer; use Mail::DKIM::PrivateKey;
binmode STDIN; binmode STDOUT; $| = 1;
my $key = Mail::DKIM::PrivateKey->load(Data => $ARGV[0]);
while (my $line = <STDIN>) {
    my ($size, $method, $names) = split /\s+/, $line;
    read(STDIN, my $message, $size) == $size or die;
    my $signer = Mail::DKIM::Signer->new(
        Algorithm => 'rsa-sha256', Method => $method, Domain => 'example.com',
        Selector => 'mail', Key => $key, Headers => $names);
    $signer->PRINT($message);
    $signer->CLOSE;
    my $field = $signer->signature->as_string;
    print length($field), "\n", $field;
}
"""


class MailDkim:
    """Mail::DKIM, in a process of Perl. Raises OSError where one of the two is not installed."""

    def __init__(self, pem: str) -> None:
        key = "".join(pem.splitlines()[1:-1])
        probe = ["perl", "-MMail::DKIM", "-e", "1"]
        if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode:
            raise OSError("no Mail::DKIM")
        command = ["perl", "-e", _PERL, key]
        self._perl = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def sign(self, message: bytes, wish: Wish) -> bytes:
        """Return the field."""
        come, go = self._perl.stdin, self._perl.stdout
        assert come is not None
        assert go is not None
        names = b":".join(wish.names)
        come.write(
            b"%d %s/%s %s\n" % (len(message), wish.header.encode(), wish.body.encode(), names)
        )
        come.write(message)
        come.flush()
        return go.read(int(go.readline())) + b"\r\n"


SIGNERS: dict[str, Callable[[str], Signer]] = {
    "dkimpy": Dkimpy,
    "OpenDKIM": OpenDkim,
    "Mail::DKIM": MailDkim,
}


@cache
def signer(name: str, pem: str) -> Signer:
    """Return a signer, the same each time. Raises OSError where it is not installed."""
    return SIGNERS[name](pem)
