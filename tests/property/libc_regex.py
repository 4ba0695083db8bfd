"""regcomp(3) and regexec(3) of glibc in the C locale, in which smtpd runs, through ctypes."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

IS_GLIBC = platform.libc_ver()[0] == "glibc"
EXTENDED, ICASE, NOSUB = 1, 2, 8
_ALL_CATEGORIES = 0x1FBF  # LC_ALL_MASK
_REGEX_T = 256  # bytes; it has 64


@contextmanager
def c_locale() -> Iterator[ctypes.CDLL]:
    """Lend the C library, with the C locale for this thread alone."""
    libc = ctypes.CDLL(None)
    libc.newlocale.restype = libc.uselocale.restype = ctypes.c_void_p
    libc.newlocale.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p]
    libc.uselocale.argtypes = libc.freelocale.argtypes = [ctypes.c_void_p]
    ours = libc.newlocale(_ALL_CATEGORIES, b"C", None)
    assert ours
    before = libc.uselocale(ours)
    try:
        yield libc
    finally:
        libc.uselocale(before)
        libc.freelocale(ours)


def search(pattern: bytes, texts: list[bytes], *, caseless: bool = False) -> list[bool] | None:
    """Say which texts a pattern matches; None where regcomp(3) refuses the pattern."""
    compiled = ctypes.create_string_buffer(_REGEX_T)
    with c_locale() as libc:
        if libc.regcomp(compiled, pattern, EXTENDED | NOSUB | (ICASE if caseless else 0)):
            return None
        found = [libc.regexec(compiled, text, 0, None, 0) == 0 for text in texts]
        libc.regfree(compiled)
    return found
