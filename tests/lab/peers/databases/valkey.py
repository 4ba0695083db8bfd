"""Valkey 8.1, which is spoken to as Redis is."""

from collections.abc import Iterable

from lab.peers.databases.server import TLS, DatabaseServer
from lab.root import inside

USERS = "/var/lib/valkey/users.acl"


class ValkeyServer(DatabaseServer):
    """Port 6379, with TLS 6380, unix socket in /run/valkey. Keys and users outlive a restart."""

    name, user = "valkey", "valkey"
    port, tls_port = 6379, 6380
    folder, socket_name = "/run/valkey", "valkey.sock"

    def _lay_out(self) -> None:
        self.run("install", "-o", self.user, "-m", "600", "/dev/null", USERS)

    def _command(self) -> list[str]:
        pem = f"/{TLS}/server.pem"
        options = {
            "bind": self.address,
            "port": f"{self.port}",
            "tls-port": f"{self.tls_port}",
            "tls-cert-file": pem,
            "tls-key-file": pem,
            "tls-ca-cert-file": f"/{TLS}/ca.pem",
            "tls-auth-clients": "no",
            "unixsocket": f"{self.folder}/{self.socket_name}",
            "unixsocketperm": "777",
            "dir": "/var/lib/valkey",
            "save": "",
            "protected-mode": "no",  # or nobody may come from elsewhere without a password
            "appendonly": "yes",
            "appendfsync": "no",
            "aclfile": USERS,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return ["setpriv", "--reuid=valkey", "--regid=valkey", "--clear-groups",
                "valkey-server", *words]  # fmt: skip

    def _answers(self) -> bool:
        said = inside.tried(self.view, *self._client(), "PING").stdout
        return said in (b"PONG\n", b"NOAUTH Authentication required.\n")

    def _client(self) -> list[str]:
        return ["valkey-cli", "-s", f"{self.folder}/{self.socket_name}"]

    def execute(self, *words: str, database: int = 0) -> str:
        """Run one command; returns the reply as valkey-cli prints it. Raises CommandError."""
        return self.run(*self._client(), "-e", "-n", str(database), *words)

    def load(self, commands: Iterable[list[str]], database: int = 0) -> None:
        """Run many commands, of any bytes (surrogates stand for those that are no UTF-8)."""
        chosen = [["SELECT", str(database)], *commands]
        given = b"".join(_encoded(words) for words in chosen)
        done = inside.tried(self.view, *self._client(), "--pipe", given=given)
        if done.returncode or b"errors: 0," not in done.stdout:
            raise inside.CommandError((done.stdout + done.stderr).decode(errors="replace"))

    def account(self, user: str, password: str) -> None:
        """Make a user who may do all, or give him this password."""
        self.execute("ACL", "SETUSER", user, "reset", "on", f">{password}", "~*", "&*", "+@all")
        self.execute("ACL", "SAVE")


def _encoded(words: list[str]) -> bytes:
    parts = [word.encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
