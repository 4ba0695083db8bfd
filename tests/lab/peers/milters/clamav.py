"""clamav-milter, and the clamd that it asks: both know one virus, which is none."""

import base64

from lab.peers.milters.server import MilterServer

EICAR = base64.b64decode(
    "WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FSLVNUQU5EQVJELUFOVElWSVJVUy1URVNULUZJTEUhJEgrSCo="
)
"""The harmless text that all scanners take for a virus. A file that had it would be found here."""
CLAMD = """\
Foreground yes
DatabaseDirectory /etc/lab-clamav
LocalSocket /run/clamav/clamd.ctl
LocalSocketMode 666
TemporaryDirectory /tmp
"""
MILTER = """\
Foreground yes
MilterSocket {listens}
ClamdSocket unix:/run/clamav/clamd.ctl
TemporaryDirectory /tmp
OnInfected Reject
RejectMsg Infected with %v
AddHeader Replace
"""
BOTH = """\
rm -f /run/clamav/clamd.ctl
setpriv --reuid=clamav --regid=clamav --clear-groups -- setpriv --pdeathsig KILL -- \
    clamd --config-file=/etc/lab-clamd.conf &
until test -S /run/clamav/clamd.ctl; do sleep 0.05; done
exec setpriv --reuid=clamav --regid=clamav --clear-groups -- \
    clamav-milter --config-file=/etc/lab-clamav-milter.conf
"""


class ClamavServer(MilterServer):
    """Port 7357."""

    name, user = "clamav", "clamav"
    port = tls_port = 7357
    folder, socket_name = "/run/clamav", ""

    def _configure(self) -> None:
        self.run("mkdir", "-p", "/etc/lab-clamav")
        known = f"Lab.EICAR:0:*:{EICAR.hex()}\n"
        (self.view / "etc/lab-clamav/lab.ndb").write_text(known)
        (self.view / "etc/lab-clamd.conf").write_text(CLAMD)
        (self.view / "etc/lab-clamav-milter.conf").write_text(MILTER.format(listens=self.listens))

    def _command(self) -> list[str]:
        return ["sh", "-c", BOTH]
