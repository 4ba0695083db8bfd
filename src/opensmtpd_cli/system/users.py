"""smtpd's own user on this machine, and the files that its group may read.

Source: ``lka`` in ``lka.c``, which gives up root before it starts its tables.
"""

import grp
import os
import pwd
from contextlib import suppress

USERS = ("_smtpd", "opensmtpd", "smtpd")
"""smtpd's own user, and its group: on the BSDs, on Debian, elsewhere."""


def smtpd_user() -> pwd.struct_passwd | None:
    """Return the user to run a table as; None, without root, to keep our own."""
    return own() if os.geteuid() == 0 else None


def own() -> pwd.struct_passwd | None:
    """Return smtpd's own user; None where none is known."""
    for name in USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def give_to_smtpd(file: int) -> None:
    """Make a new file readable for the group of smtpd's user, where we may; else for its owner.

    ``file`` is its descriptor. There may be passwords in it: no other group may read it, the group
    of its maker included.
    """
    for name in USERS if os.geteuid() == 0 else ():
        with suppress(KeyError):
            os.fchown(file, -1, grp.getgrnam(name).gr_gid)
            break
    os.fchmod(file, 0o640 if group_of(file) in USERS else 0o600)


def give_to_all(file: int) -> None:
    """Make a new file readable for everybody, by its descriptor: there is nothing secret in it."""
    os.fchmod(file, 0o644)


def group_of(file: str | int) -> str:
    """Return the name of a file's group, or its number, by path or descriptor."""
    return group_name(os.stat(file).st_gid)


def group_name(number: int) -> str:
    """Return the name of a group; its number where it has none."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def name_of(number: int) -> str:
    """Return words for a user by number."""
    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"
