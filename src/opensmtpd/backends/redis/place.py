"""The address of a server, and what it wants to know of us."""

from typing import NamedTuple


class RedisPlace(NamedTuple):
    """One server. As a list of its fields it is plain data."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str = ""
    """Of a unix socket, which counts instead of host and port."""
    user: str = ""
    password: str = ""
    database: int = 0
    tls: bool = False
    authorities: str = ""
    """A file of certificates that are trusted; "" for the system's."""
    certificate: str = ""
    """A file with our own, which many servers want to see; "" for none."""
    key: str = ""
    """The file with its key; "" where it is in the same file."""

    @property
    def name(self) -> str:
        """Its name for the log, without a secret."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
