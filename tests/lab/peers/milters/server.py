"""A milter in a view of a root, which tests pause, kill and start again."""

import socket
import struct
from abc import abstractmethod
from contextlib import suppress

from lab.peers.databases.server import DatabaseServer

OFFER = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)
"""A negotiation, as Sendmail begins one: all that version 6 has."""


class MilterServer(DatabaseServer):
    """A milter that listens on a unix socket, or on 127.0.0.1: it has one of the two."""

    listens: str
    """The place in the form of libmilter: ``inet:8893@127.0.0.1``."""

    def _lay_out(self) -> None:
        (self.view / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
        place = self.socket_name and f"unix:{self.folder}/{self.socket_name}"
        self.listens = place or f"inet:{self.port}@{self.address}"
        self._configure()

    @abstractmethod
    def _configure(self) -> None:
        """Write its configuration."""

    def _as_user(self, *words: str) -> list[str]:
        """Return a command that runs as the user of the milter."""
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", *words]

    def _answers(self) -> bool:
        with suppress(OSError), self._connected() as client:
            client.settimeout(1)
            client.sendall(OFFER)
            return client.recv(64)[4:5] == b"O"
        return False

    def _connected(self) -> socket.socket:
        if not self.socket_name:
            return socket.create_connection((self.address, self.port), timeout=1)
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(self.socket))
        except OSError:
            client.close()
            raise
        return client
