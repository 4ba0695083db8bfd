"""Import PyMySQL, which may not be installed, and not what it does not need."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from opensmtpd.errors import ConfigError

_COSTLY = "cryptography"
"""PyMySQL imports it where it is installed: 45 ms and 8 MB. It takes it for passwords of MySQL 8
that go over TCP without TLS, and for nothing else."""
_OURS = "ssl"
"""15 ms and 5 MB: TLS is begun by ``channel``."""


def load(path: str, *, in_clear: bool) -> None:
    """Import PyMySQL. Raises ConfigError, for the configuration ``path``, where it is missing.

    ``in_clear`` says that connections go over TCP without TLS.
    """
    try:
        with _hidden(_OURS), nullcontext() if in_clear else _hidden(_COSTLY):
            auth = importlib.import_module("pymysql._auth")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "pymysql":
            raise
        remedy = "pip install 'opensmtpd-plugins[mysql]'"
        raise ConfigError("it needs PyMySQL", path=path, remedy=remedy) from None
    if not in_clear:
        return
    with suppress(ImportError, OSError):  # the sandbox lets nothing be loaded
        if not auth._have_cryptography:
            importlib.reload(auth)  # it may have been hidden before
        if auth._have_cryptography:  # it imports the rest, or would with the first password
            importlib.import_module("cryptography.hazmat.backends").default_backend()


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Have an import fail, if it was not done before."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system has it
    try:
        yield
    finally:
        del sys.modules[name]
