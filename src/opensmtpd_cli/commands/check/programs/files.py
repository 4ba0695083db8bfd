"""The files that a program is given, and whether its user can read them.

smtpd starts a program as its user, and root can read everything: so each file is looked at with
the rights of that user. For root alone.
"""

import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.plugin.start import Account
from opensmtpd_cli.system import acting, denied
from opensmtpd_cli.system.users import group_name, name_of

_HOMES = ("/root", "/home/")


class FileReader(NamedTuple):
    """A program, as the reader of its files."""

    place: tuple[str, int]
    title: str
    account: Account
    chroot: str = ""
    """The directory that stands before all its paths; "" for none."""
    usual_user: str = ""
    """The user to write into its line where that names none; "" where there is no such user."""
    fatal: bool = False
    """True where it is known to end if it cannot read one of its files."""

    @property
    def who(self) -> str:
        """Words for its user."""
        return name_of(self.account.user)


class _Closed(NamedTuple):
    """A path, and the file or the directory on the way to it that is closed to the user."""

    path: str
    closed: str
    folder: bool


def unreadable(reader: FileReader, paths: Iterable[str]) -> Iterator[Finding]:
    """Yield the files that the program's user cannot read. What does not exist is passed over."""
    real = {path: os.path.realpath(reader.chroot + path) for path in paths}
    with acting.being(reader.account.user, reader.account.groups):
        found = [each for path in real if (each := _closed(reader, path, real[path]))]
    usual = _open_to_usual_user(reader, real)
    for each in found:
        way = f": it may not enter {each.closed}" if each.folder else ""
        fault = f"{reader.title} runs as {reader.who}, which cannot read {each.path}{way}"
        make = finding.error if reader.fatal else finding.warning
        why = "It would end when it starts, and smtpd with it." if reader.fatal else ""
        remedy = _remedy(reader, each, open_to_usual=each.path in usual)
        yield make("file-unreadable", reader.place, fault, why, remedy)


def _closed(reader: FileReader, path: str, real: str) -> _Closed | None:
    """Return what is closed to our effective user, who is the program's."""
    for folder in denied.ways(os.path.dirname(real)):
        outside = f"{reader.chroot}/".startswith(f"{folder}/")
        if not outside and os.path.lexists(folder) and not _may(folder, os.X_OK):
            return _Closed(path, folder, True)
    try:
        mode = os.stat(real).st_mode
    except OSError:  # it is not there
        return None
    readable = _may(real, os.R_OK) or (not reader.fatal and _may(real, os.W_OK))  # or its log
    return None if readable or not stat.S_ISREG(mode) else _Closed(path, real, False)


def _open_to_usual_user(reader: FileReader, real: dict[str, str]) -> set[str]:
    """Return the paths that would be readable if the line named the usual user."""
    if not reader.usual_user:
        return set()
    with acting.being(pwd.getpwnam(reader.usual_user).pw_uid):
        return {path for path in real if _closed(reader, path, real[path]) is None}


def _may(path: str, how: int) -> bool:
    return os.access(path, how, effective_ids=True)


def _remedy(reader: FileReader, what: _Closed, *, open_to_usual: bool) -> str:
    """Return the command, or the words to write."""
    usual = reader.usual_user
    if open_to_usual:
        return f"write user {usual} behind the command"
    if what.folder and what.closed.startswith(_HOMES):
        return f"move it out of {what.closed} to where {reader.who} may enter, as /etc/mail"
    if what.folder:
        return f"chmod o+x {what.closed}"
    if usual:
        return f"write user {usual} behind the command, and: chown {usual} {what.closed}"
    return f"chgrp {group_name(reader.account.group)} {what.closed} && chmod g+r {what.closed}"
