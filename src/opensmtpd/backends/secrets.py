"""Files with passwords for servers."""

import os
import stat

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.log import log

PASSWORD_MAX = 1024
"""Bytes."""


def warn_if_readable(path: str) -> None:
    """Log that everybody can read a file in which a password stands. Raises ConfigError."""
    with reading(path) as file:
        mode = os.fstat(file.fileno()).st_mode
    if mode & stat.S_IROTH:
        reason = "everybody can read the password in it"
        log("secret-readable", path=path, reason=reason, remedy=f"chmod o= {path}")


def read_password(path: str) -> bytes:
    """Return the first line of a file, without its end. Raises ConfigError.

    Where everybody can read the file, that is logged.
    """
    with reading(path) as file:
        password = file.read(PASSWORD_MAX + 1).partition(b"\n")[0].removesuffix(b"\r")
    if not password or len(password) > PASSWORD_MAX or b"\0" in password:
        fault = f"its first line is no password of 1 to {PASSWORD_MAX} bytes"
        raise ConfigError(fault, path=path, remedy="write the password alone into it")
    warn_if_readable(path)
    return password
