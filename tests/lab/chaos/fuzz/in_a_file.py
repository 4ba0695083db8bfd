"""Bytes that a program of ours reads from a file."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress

from opensmtpd.errors import LocalError


def in_a_file(data: bytes, read: Callable[[str], object]) -> None:
    """Have bytes read from a file; a LocalError is a fine answer."""
    descriptor, path = tempfile.mkstemp(dir="/dev/shm")
    try:
        os.write(descriptor, data)
        os.close(descriptor)
        with suppress(LocalError):
            read(path)
    finally:
        os.unlink(path)
