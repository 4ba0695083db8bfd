"""The program behind a ``table`` line of smtpd.conf.

Source: ``table_create`` in ``table.c``.
"""

import os
import shutil
import sys

from opensmtpd.errors import ConfigError
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.system import libexec

FLAT = "flat"
"""Our table for the files that smtpd itself reads."""

_BUILT_IN = ("db", "getpwnam", "proc")


def find(line: TableLine) -> str:
    """Return the path of the program. Raises ConfigError where there is none."""
    if line.kind in _BUILT_IN or (line.built_in and line.path is None):
        raise ConfigError(f"{line.kind} is a part of smtpd: there is no program to ask")
    return place(f"table-{FLAT if line.built_in else line.kind}")


def place(name: str, chroot: str = "") -> str:
    """Return the path of a program: below ``chroot`` only in the places of smtpd.

    Raises ConfigError where it is nowhere.
    """
    for folder in libexec.folders():
        if os.path.exists(f"{chroot}{folder}/{name}"):  # smtpd asks no more, either
            return f"{folder}/{name}"
    ours = os.path.join(os.path.dirname(sys.executable), name)
    found = ours if os.access(ours, os.X_OK) else shutil.which(name)
    if found is None or chroot:
        raise ConfigError(
            f"there is no program {name}",
            remedy=f"smtpd wants it in its own directory, as {chroot}{libexec.folders()[0]}",
        )
    return os.path.abspath(found)
