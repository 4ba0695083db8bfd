"""The program behind a ``table`` line of smtpd.conf, and whom smtpd runs it as.

Source: the rule ``table`` in ``parse.y``, ``table_create`` in ``table.c``, and ``lka`` in
``lka.c``, which gives up root before it starts its tables.
"""

import os
import pwd
import shlex
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.operator import libexec

LIBEXEC = (
    "/usr/libexec/opensmtpd",  # Debian
    "/usr/local/libexec/smtpd",  # OpenBSD
    "/usr/lib/opensmtpd",  # Alpine
    "/usr/lib/smtpd/opensmtpd",  # Arch
    "/usr/local/libexec/opensmtpd",  # FreeBSD
)
"""Where smtpd finds its plugins on systems that are known here. It is built with one directory, and
looks nowhere else."""

USERS = ("_smtpd", "opensmtpd", "smtpd")
"""smtpd's own user, and its group: on the BSDs, on Debian, elsewhere."""

FLAT = "flat"
"""Our table for the files that smtpd itself reads."""

_FILES = ("file", "static")
_BUILT_IN = ("db", "getpwnam", "proc")


class TableLine(NamedTuple):
    """What a line says. ``path`` is None where it gives none."""

    name: str
    kind: str
    path: str | None

    @property
    def built_in(self) -> bool:
        """Whether smtpd reads the file itself, and runs no program."""
        return self.kind in _FILES


def parse(text: str) -> TableLine:
    """Read ``table NAME TYPE:PATH`` or ``TYPE:PATH``, named as the file then. Raises ConfigError.

    A path alone is a file, as in smtpd.conf.
    """
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise ConfigError(f"no table line: {error}") from None
    if len(words) > 2 and words[0] == "table" and words[2].startswith("{"):
        raise ConfigError("the rows of this table stand in smtpd.conf: there is nothing to ask")
    if len(words) not in (1, 3) or (len(words) == 3 and words[0] != "table"):
        raise ConfigError("no table line", remedy="write it as: table NAME TYPE:/PATH")
    what = words[-1]
    kind, colon, path = ("file", ":", what) if what.startswith("/") else what.partition(":")
    if colon and not path.startswith("/"):
        raise ConfigError("smtpd wants a path that begins with /", remedy=f"not {path!r}")
    name = words[1] if len(words) == 3 else Path(path or kind).stem
    return TableLine(name, kind, path or None)


def find(line: TableLine) -> str:
    """Return the path of the program. Raises ConfigError where there is none."""
    if line.kind in _BUILT_IN or (line.built_in and line.path is None):
        raise ConfigError(f"{line.kind} is a part of smtpd: there is no program to ask")
    return place(f"table-{FLAT if line.built_in else line.kind}")


def folders() -> tuple[str, ...]:
    """Return the directory where smtpd finds its plugins: what it says itself, or all known."""
    own = libexec.own()
    return (own,) if own else LIBEXEC


def place(name: str, chroot: str = "") -> str:
    """Return where a program is: below ``chroot`` only in the places of smtpd.

    Raises ConfigError where it is nowhere.
    """
    for folder in folders():
        if os.path.exists(f"{chroot}{folder}/{name}"):  # smtpd asks no more, either
            return f"{folder}/{name}"
    ours = os.path.join(os.path.dirname(sys.executable), name)
    found = ours if os.access(ours, os.X_OK) else shutil.which(name)
    if found is None or chroot:
        raise ConfigError(
            f"there is no program {name}",
            remedy=f"smtpd wants it in its own directory, as {chroot}{folders()[0]}",
        )
    return os.path.abspath(found)


def smtpd_user() -> pwd.struct_passwd | None:
    """Return the user to run a table as; None to stay who we are, for who is not root."""
    if os.geteuid() != 0:
        return None
    for name in USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
