"""postgrey, which is asked by the policy protocol of Postfix."""

import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab.peers.databases.server import DatabaseServer
from lab.root import inside

FOLDER = "/var/lib/postgrey"
CLIENTS, RECIPIENTS = "/etc/postgrey/whitelist_clients", "/etc/postgrey/whitelist_recipients"
"""The lists of the package."""


class PostgreyServer(DatabaseServer):
    """Unix socket in /run/postgrey. It knows its own lists, where ``options`` name no others."""

    name, user = "postgrey", "postgrey"
    port = tls_port = 0
    folder, socket_name = "/run/postgrey", "postgrey.sock"

    def __init__(self, root: Path, options: Sequence[str] = ()) -> None:
        self._options = options
        self._asking: socket.socket | None = None
        super().__init__(root)

    def _lay_out(self) -> None:
        inside.done(self.view, "install", "-d", "-o", self.user, "-g", self.user, FOLDER)

    def _command(self) -> list[str]:
        place = f"--unix={self.folder}/{self.socket_name}"
        return ["postgrey", place, "--hostname=mail.example.org", "--quiet", *self._options]

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.ask(client_address="192.0.2.1") == "DUNNO"  # as attributes are missing
        return False

    def ask(self, **attributes: object) -> str:
        """Return the action for an attempt, as access(5) has them. Raises OSError."""
        if self._asking is None:
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(self.socket))
            self._asking = client
        rows = {"request": "smtpd_access_policy", **attributes}
        text = "".join(f"{name}={value}\n" for name, value in rows.items())
        self._asking.sendall(f"{text}\n".encode("utf-8", "surrogateescape"))
        reply = b""
        while not reply.endswith(b"\n\n"):
            piece = self._asking.recv(4096)
            if not piece:
                raise ConnectionError("postgrey has closed the connection")
            reply += piece
        return reply.decode("utf-8", "surrogateescape").strip().removeprefix("action=")

    def kill9(self) -> None:
        """End it."""
        if self._asking is not None:
            self._asking.close()
            self._asking = None
        super().kill9()
