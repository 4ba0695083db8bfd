"""OpenDMARC: applies policies to what Authentication-Results of others say."""

from lab.peers.milters.server import MilterServer

CONF = """\
Socket {listens}
Background no
AutoRestart no
Syslog no
AuthservID example.com
TrustedAuthservIDs example.com
RejectFailures yes
SPFIgnoreResults yes
SPFSelfValidate no
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
"""


class OpenDmarcServer(MilterServer):
    """Port 8893."""

    name, user = "opendmarc", "opendmarc"
    port = tls_port = 8893
    folder, socket_name = "/run/opendmarc", ""

    def _configure(self) -> None:
        (self.view / "etc/lab-opendmarc.conf").write_text(CONF.format(listens=self.listens))

    def _command(self) -> list[str]:
        return self._as_user("opendmarc", "-f", "-c", "/etc/lab-opendmarc.conf")
