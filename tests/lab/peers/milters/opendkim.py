"""OpenDKIM: signs what our users send, and says of other mail whether its signatures hold."""

from lab.peers.milters.server import MilterServer

SELECTOR = "odkim"
DOMAIN = "example.com"
CONF = """\
Mode sv
Socket {listens}
UMask 000
Background no
AutoRestart no
Syslog no
AuthservID example.com
Canonicalization relaxed/relaxed
Domain {domain}
Selector {selector}
KeyFile /etc/lab-dkim/{selector}.private
InternalHosts 203.0.113.200
OversignHeaders From
AlwaysAddARHeader yes
Nameservers 127.0.0.1
"""
"""InternalHosts: nobody. It signs for those who have authenticated."""


class OpenDkimServer(MilterServer):
    """Unix socket in /run/opendkim."""

    name, user = "opendkim", "opendkim"
    port = tls_port = 8891
    folder, socket_name = "/run/opendkim", "opendkim.sock"
    records: dict[str, str]
    """TXT records of the key that it signs with, by its name."""

    def _configure(self) -> None:
        self.run("mkdir", "-p", "/etc/lab-dkim")
        self.run("opendkim-genkey", "-b", "2048", "-d", DOMAIN, "-s", SELECTOR,
                 "-D", "/etc/lab-dkim")  # fmt: skip
        self.run("chown", "-R", f"{self.user}:", "/etc/lab-dkim")
        said = (self.view / f"etc/lab-dkim/{SELECTOR}.txt").read_text()
        self.records = {f"{SELECTOR}._domainkey.{DOMAIN}": "".join(said.split('"')[1::2])}
        conf = CONF.format(listens=self.listens, domain=DOMAIN, selector=SELECTOR)
        (self.view / "etc/lab-opendkim.conf").write_text(conf)

    def _command(self) -> list[str]:
        return self._as_user("opendkim", "-f", "-x", "/etc/lab-opendkim.conf")
