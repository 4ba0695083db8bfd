"""Hand a mail to sendmail(8)."""

import os
import subprocess

from opensmtpd.errors import ConfigError
from opensmtpd_cli.terminal import shown

PLACES = ("/usr/sbin/sendmail", "/usr/lib/sendmail")
PATIENCE = 120.0
"""Seconds that it has for one mail."""


def sendmail() -> str:
    """Return the path of this system's sendmail. Raises ConfigError where there is none."""
    for path in PLACES:
        if os.access(path, os.X_OK):
            return path
    raise ConfigError("there is no sendmail here", remedy="name one with --sendmail")


def send(program: str, sender: str, to: str, message: bytes) -> str:
    """Give a mail to sendmail, and return why that did not work, ``""`` where it did.

    The addresses are plain ones (``uris.is_plain_address``): no part of a command line is a
    stranger's choice but these.
    """
    try:
        done = subprocess.run(
            [program, "-i", "-f", sender, "--", to],
            input=message, capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{program} takes more than {PATIENCE:.0f} seconds"
    except OSError as error:
        return f"{program}: {error.strerror}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return shown(said[-1][:200]) if said else f"{program} ended with {done.returncode}"
