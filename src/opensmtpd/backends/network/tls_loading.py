"""Load TLS for those who have it: it takes 15 ms and 5 MB."""

from typing import Any

from opensmtpd.errors import ConfigError


def loaded_tls() -> Any:
    """Return the module ``tls``.

    Raises ConfigError in a sandbox, where it cannot be loaded any more.
    """
    try:
        from opensmtpd.backends.network import tls  # noqa: PLC0415  see above
    except (ImportError, OSError):
        raise ConfigError("TLS was not in use at the start", remedy="restart smtpd") from None
    return tls
