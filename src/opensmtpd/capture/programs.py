"""The parts that filter-record and table-record share: their options, and where programs are."""

import argparse
import os
import sys

from opensmtpd import options
from opensmtpd._runtime.smtpd_user import check_as_users
from opensmtpd.capture.writer import CaptureSettings
from opensmtpd.errors import ConfigError

SIZE, FILES = "64M", 4
"""Of a capture, if not given."""
FOLDERS = (
    "/usr/libexec/opensmtpd",
    "/usr/local/libexec/smtpd",
    "/usr/lib/opensmtpd",
    "/usr/lib/smtpd/opensmtpd",
    "/usr/local/libexec/opensmtpd",
)
"""Directories of smtpd's programs: on Debian, OpenBSD, Alpine, Arch, FreeBSD."""
SIZE_MIN = 1 << 16


def place(name: str) -> str:
    """Return the path of a program as smtpd would find it: beside this one, or in its directories.

    Raises ConfigError where it is nowhere.
    """
    if name.startswith("/"):
        return name
    here = os.path.dirname(os.path.abspath(sys.argv[0]))
    for folder in (here, *FOLDERS, *os.get_exec_path()):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise ConfigError(f"there is no program {name}", remedy="write its whole path")


def capture_size(text: str) -> int:
    """Return the size of a file. Raises argparse.ArgumentTypeError."""
    size = options.size(text)
    if size < SIZE_MIN:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 64K")
    return size


def files(text: str) -> int:
    """Return a number of files. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 100 and len(text) < 4):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100")
    return int(text)


def check(name: str, settings: CaptureSettings, program: str) -> None:
    """See whether a capture can be made, and tell so: root's check holds for the users, too.

    ``name`` is ours. Raises ConfigError.
    """
    _try(settings, program)
    users = ["root"]
    if os.geteuid() == 0:
        users += check_as_users(name, sys.argv[1:], lambda: _try(settings, program))
    print(f"{name}: configuration OK" + f", read as {' and '.join(users)}" * (os.geteuid() == 0))


def _try(settings: CaptureSettings, program: str) -> None:
    folder = os.path.dirname(os.path.abspath(settings.path))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        remedy = "make it for the user of the program: install -d -o USER -m 0700"
        raise ConfigError("no files can be made there", path=folder, remedy=remedy)
    if not os.access(program, os.X_OK, effective_ids=True):
        raise ConfigError("it cannot be run", path=program)
