"""What a checker of ``opensmtpd-plugins check`` finds in a configuration."""

import os
from pathlib import Path

from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.server import Checker, Server
from opensmtpd_cli.smtpdconf.parser import read
from unit.support.swap import smtpd_conf


def server(path: Path) -> Server:
    """Return a server with a configuration: smtpd 7.6, no DNS, and who we are."""
    return Server(
        path=str(path),
        configuration=read(str(path)),
        version=(7, 6, 0),
        smtpd="",
        start=True,
        root=os.geteuid() == 0,
        addresses=(),
        dns=None,
        timeout=60.0,
    )


def found_by(checker: Checker, folder: Path, text: str) -> list[Finding]:
    """Return the findings in a configuration that is written into a folder."""
    return list(checker(server(smtpd_conf(folder, text))))
