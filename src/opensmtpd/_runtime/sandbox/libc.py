"""The C library by ctypes: the calls of the sandbox, which Python does not have."""

import ctypes
import os
from functools import cache
from typing import Any

from opensmtpd.errors import LocalError


@cache
def library(name: str | None = None) -> Any:
    """Return a C library, that of the process itself without a name.

    It is opened once: a process that was confined can open none. Raises LocalError.
    """
    try:
        return ctypes.CDLL(name, use_errno=True)
    except OSError:
        raise LocalError(f"no {name}") from None


def call(function: Any, *arguments: Any) -> int:
    """Return the result of a function of a C library, its whole numbers passed as C's ``long``.

    Raises OSError where it is -1.
    """
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    ctypes.set_errno(0)
    result: int = function(*given)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
