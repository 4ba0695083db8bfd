"""milter-greylist: has mail of strangers come again."""

from lab.peers.milters.server import MilterServer

SECONDS = 2
"""Seconds until a mail may pass."""
CONF = """\
pidfile "{folder}/pid"
socket "{folder}/{socket_name}" 666
dumpfile "{folder}/db" 600
user "{user}"
quiet
autowhite 0
greylist {seconds}s
racl greylist default
"""


class GreylistServer(MilterServer):
    """Unix socket in /run/milter-greylist."""

    name, user = "milter-greylist", "greylist"
    port = tls_port = 0
    folder, socket_name = "/run/milter-greylist", "milter-greylist.sock"

    def _configure(self) -> None:
        conf = CONF.format(
            folder=self.folder, socket_name=self.socket_name, user=self.user, seconds=SECONDS
        )
        (self.view / "etc/lab-greylist.conf").write_text(conf)

    def _command(self) -> list[str]:
        return ["milter-greylist", "-D", "-f", "/etc/lab-greylist.conf"]
