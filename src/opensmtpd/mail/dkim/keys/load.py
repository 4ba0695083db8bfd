"""Read the file of a private key, check it, and make a `Key` of it."""

import os
from collections.abc import Callable

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.mail.dkim.keys import memory
from opensmtpd.mail.dkim.keys.key import Key

_FILE_MAX = 1 << 20


def load(path: str, algorithm: str | None = None) -> Key:
    """Read a private key in PEM; ``algorithm`` None takes the one that the key is made for.

    From then on, nobody but root can look into this process (``memory.guard``).

    Raises ConfigError, with the path and a remedy, for a key that cannot or must not be used.
    """
    memory.guard()
    data, warnings = _read(path)
    key = _reader()(path, data)
    if algorithm not in (None, key.algorithm):
        raise ConfigError(
            f"a key for {key.algorithm}, not {algorithm}",
            path=path,
            remedy=f"name the algorithm {key.algorithm}, or another key",
        )
    return key._replace(warnings=warnings + key.warnings)


def _reader() -> Callable[[str, bytes], Key]:
    try:
        from opensmtpd.mail.dkim.keys.pem import key  # noqa: PLC0415  what it needs may not be installed
    except ImportError as error:
        remedy = "pip install 'opensmtpd-plugins[dkim]'"
        raise ConfigError(f"signing needs cryptography: {error}", remedy=remedy) from None
    return key


def _read(path: str) -> tuple[bytes, tuple[str, ...]]:
    with reading(path) as file:
        mode = os.fstat(file.fileno()).st_mode
        data = file.read(_FILE_MAX)
    if mode & 0o007:
        return data, (f"{path}: key open to every user of this machine; chmod o= {path}",)
    return data, ()
