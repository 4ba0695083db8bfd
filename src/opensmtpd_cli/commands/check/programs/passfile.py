"""The file of passwords that table-postgres names: libpq passes over it where it finds fault.

Source: ``passwordFromFile`` in ``fe-connect.c``.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs import secrets
from opensmtpd_cli.plugin.start import Account
from opensmtpd_cli.system import acting
from opensmtpd_cli.system.users import name_of

WHY = "The server is asked without a password, and says no where it wants one."


def ignored(place: tuple[str, int], title: str, conf: str, account: Account) -> Iterator[Finding]:
    """Yield the file of passwords of a configuration, where libpq would not use it."""
    for path in secrets.password_files(conf):
        with suppress(OSError):
            if reason := _reason(path, account):
                owner = name_of(account.user)
                fault = f"{title} names passfile {path}, which libpq passes over: {reason}"
                remedy = f"chown {owner.removeprefix('user ')} {path} && chmod 600 {path}"
                yield finding.warning("passfile-ignored", place, fault, WHY, remedy)


def _reason(path: str, account: Account) -> str:
    """Return why libpq does not use a file; "" where it does. Raises OSError."""
    if stat.S_IMODE(os.stat(path).st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        return "it must be for its owner alone"
    with acting.being(account.user, account.groups):
        readable = os.access(path, os.R_OK, effective_ids=True)
    return "" if readable else f"{name_of(account.user)} cannot read it"
