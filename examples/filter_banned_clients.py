#!/usr/bin/python3
"""Turn away clients whose addresses are in a file, which another program may write.

    filter banned-clients proc-exec "filter-banned-clients /etc/mail/banned"

A change counts within five seconds. If the file cannot be read then, the last list stays in use.
"""

from pathlib import Path

from opensmtpd import options, run
from opensmtpd.dns.names import address
from opensmtpd.errors import ConfigError
from opensmtpd.filter import PROCEED, Connect, Filter, PhaseDecision, Reject, Session
from opensmtpd.timers import every


class BannedClients(Filter):
    def __init__(self, path: Path) -> None:
        self.path, self.written = path, 0
        self.read()

    @every(5)
    def read(self) -> None:
        try:
            if (written := self.path.stat().st_mtime_ns) != self.written:
                words = self.path.read_bytes().split()
                self.banned, self.written = {address(word) for word in words} - {None}, written
        except OSError as error:  # at the start: exit with 1; later: a line in the log
            raise ConfigError(error.strerror or "cannot be read", path=str(self.path)) from None

    def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
        return Reject(554, "5.7.1 Banned") if address(request.address) in self.banned else PROCEED


if __name__ == "__main__":
    parser = options.filter_parser("filter-banned-clients", __doc__)
    parser.add_argument("path", metavar="FILE", type=Path, help="the file of banned addresses")
    run.filter(lambda flags: BannedClients(flags.path), parser)
