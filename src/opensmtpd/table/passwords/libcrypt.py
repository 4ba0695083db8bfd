"""crypt(3) of this system, through ctypes: Python has had no module for it since 3.13.

Only the reentrant form is used, for programs may check passwords in threads. Linux and FreeBSD have
it.
"""

import ctypes
import functools
import secrets

_NAMES = ("libcrypt.so.1", "libcrypt.so.2", "libcrypt.so.5", None)
"""libxcrypt as Debian and as others build it, FreeBSD's, and the C library itself (musl)."""
_DATA = 1 << 18
"""Bytes for the library to work in: ``struct crypt_data`` has up to 131,232."""
_SETTING = 192
"""Bytes of a setting: ``CRYPT_GENSALT_OUTPUT_SIZE``."""
_METHODS = ((b"$y$", 8), (b"$gy$", 8), (b"$7$", 8), (b"$2a$", 10), (b"$6$", 5000))
"""Prefixes and costs in the order in which ``encrypt.c`` of smtpd tries them, the weak left out."""
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def crypt(password: bytes, setting: bytes) -> bytes | None:
    """Return the hash by the method, cost and salt of a setting, or of another hash.

    Neither may hold a NUL. None where there is no crypt_r(3), or where it fails: with nothing or
    with a text like ``*0``, which is no hash.
    """
    library = _library()
    if library is None:
        return None
    data = ctypes.create_string_buffer(_DATA)
    made: bytes | None = library.crypt_r(password, setting, data)
    return None if made is None or made.startswith(b"*") else made


def new_hash(password: bytes) -> bytes | None:
    """Return a hash of a password without NUL by the best method there is, None if by none."""
    for prefix, cost in _METHODS:
        setting = _setting(prefix, cost)
        made = crypt(password, setting) if setting else None
        if made and setting and made.startswith(setting):
            return made
    return None


def load() -> None:
    """Load the library, where there is one."""
    _library()


def _setting(prefix: bytes, cost: int) -> bytes | None:
    """Return prefix, cost and a new salt in the form that crypt(3) takes."""
    library = _library()
    gensalt = getattr(library, "crypt_gensalt_rn", None)
    if gensalt is not None:
        setting = ctypes.create_string_buffer(_SETTING)
        count = ctypes.c_ulong(cost)
        return setting.value if gensalt(prefix, count, None, 0, setting, _SETTING) else None
    if prefix != b"$6$":  # of the others the form is more than a salt
        return None
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16)).encode("ascii") + b"$"


@functools.cache
def _library() -> ctypes.CDLL | None:
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            library.crypt_r.restype = ctypes.c_char_p
        except (OSError, AttributeError):
            continue
        if hasattr(library, "crypt_gensalt_rn"):
            library.crypt_gensalt_rn.restype = ctypes.c_char_p
        return library
    return None
