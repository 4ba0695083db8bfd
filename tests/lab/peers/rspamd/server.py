"""rspamd itself, with a configuration that has nothing in it but what the tests ask for."""

import json
import socket
from contextlib import suppress
from pathlib import Path

from lab.peers.databases.server import DatabaseServer

HERE = Path(__file__).parent
KEYS = ("rsa", "ed25519")
DOMAIN = "signed.example"
TLDS = "com\nexample\nnet\norg\n"
"""To learn all that there are takes rspamd seconds."""


class RspamdServer(DatabaseServer):
    """Port 11333, unix socket in /run/rspamd; a message says in X-Lab what is done with it."""

    name, user = "rspamd", "_rspamd"
    port = tls_port = 11333
    folder, socket_name = "/run/rspamd", "rspamd.sock"
    records: dict[str, str]
    """TXT records of the keys that it signs with, by their names."""

    def _lay_out(self) -> None:
        self.run("mkdir", "-p", "/etc/rspamd/keys")
        self.records = {f"{name}._domainkey.{DOMAIN}": self._key(name) for name in KEYS}
        self.run("chown", "-R", f"{self.user}:", "/etc/rspamd/keys")
        folder = self.view / "etc/rspamd"
        fake = ",".join(
            json.dumps({"name": name, "type": "txt", "replies": [record]})
            for name, record in self.records.items()
        )
        text = (HERE / "rspamd.conf").read_text().replace("ADDRESS", self.address)
        (folder / "lab.conf").write_text(text.replace("FAKE_RECORDS", fake))
        (folder / "tlds").write_text(TLDS)
        (folder / "lab.lua").write_text((HERE / "lab.lua").read_text())

    def _key(self, name: str) -> str:
        """Make a key and return its record."""
        kind = ("-t", "ed25519") if name == "ed25519" else ("-b", "1024")
        path = f"/etc/rspamd/keys/{name}.pem"
        said = self.run("rspamadm", "dkim_keygen", "-d", DOMAIN, "-s", name, *kind, "-k", path)
        return "".join(said.split('"')[1::2])

    def _command(self) -> list[str]:
        return ["rspamd", "-f", "-u", self.user, "-g", self.user, "-c", "/etc/rspamd/lab.conf"]

    def _answers(self) -> bool:
        ping = b"GET /ping HTTP/1.0\r\n\r\n"
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(self.socket))
            client.sendall(ping)
            return b"pong" in client.recv(4096)
        return False
