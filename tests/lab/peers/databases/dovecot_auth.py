"""Dovecot 2.4, of which nothing but the part that knows passwords runs."""

import subprocess

from lab.peers.databases.server import DatabaseServer
from lab.root import inside

CONF = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols =
ssl = no
log_path = /dev/stderr
auth_mechanisms = plain login
auth_failure_delay = 0
service auth {
  unix_listener auth-client {
    mode = 0666
  }
  # With 0666 it would tell each client of its own user alone.
  unix_listener auth-userdb {
    mode = 0777
  }
}
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
"""


class DovecotAuth(DatabaseServer):
    """Unix socket ``auth-client`` in /run/dovecot; there is no port."""

    name, user = "dovecot", "dovecot"
    port = tls_port = 0
    folder, socket_name = "/run/dovecot", "auth-client"

    def _lay_out(self) -> None:
        (self.view / "etc/dovecot/dovecot.conf").write_text(CONF)
        self.users({})

    def _command(self) -> list[str]:
        return ["dovecot", "-F"]

    def _answers(self) -> bool:
        # A socket file of a server that has been killed is there, too.
        asked = ["doveadm", "auth", "test", "nobody", "no"]
        return b"temporary" not in _said(inside.tried(self.view, *asked)) and self.socket.exists()

    def configure(self, text: str = CONF) -> None:
        """Have another configuration, or that of the beginning. It restarts the server."""
        path = self.view / "etc/dovecot/dovecot.conf"
        if path.read_text() != text:
            path.write_text(text)
            self.restart()

    def users(self, passwords: dict[str, str]) -> None:
        """Have these users, with passwords as Dovecot writes them: ``{PLAIN}secret``.

        It restarts the server, which looks at the file once a second at most.
        """
        rows = passwords.items()
        lines = (f"{user}:{password}:1000:1000::/home/{user}\n" for user, password in rows)
        path = self.view / "etc/dovecot/users"
        path.write_text("".join(lines))
        path.chmod(0o644)
        if self.running:
            self.restart()


def _said(done: subprocess.CompletedProcess[bytes]) -> bytes:
    return (done.stdout + done.stderr).lower()
