"""Act as the owner of a directory, where users who may write there could mislead root.

SQLite opens files by their names: the database, and a journal beside it, whose pages it writes into
the database. A user who may write to the directory can put a link to another file in the place of
either. So root works there with the rights of the directory's owner, and can do no more than he.
"""

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system import folders


@contextmanager
def safely(path: str, remedy: str = "") -> Iterator[str]:
    """Yield the real path of a file, for what opens it by its name.

    Root is the owner of its directory meanwhile, unless that and all above it are root's alone.
    Raises ConfigError, OSError; also for a directory of root that its group, or others, may write
    to. ``remedy`` is told for that, where somebody is to write there; if not given, chmod(1) is.
    """
    file = folders.behind(os.path.abspath(path))
    folder, name = os.path.split(file)
    way = folders.way(folder)
    real = os.path.join(way.path, name)
    if os.geteuid() != 0 or not way.owners:
        yield real
        return
    user = way.owners[0]
    if user < 0:
        fault = "root must not open a database where its group or others may write"
        raise ConfigError(fault, path=way.path, remedy=remedy or f"chmod go-w {way.path}")
    with being(user):
        yield real


@contextmanager
def being(user: int, groups: Sequence[int] = ()) -> Iterator[None]:
    """Have the effective ids of a user, and ``groups``, or all that he is in. For root alone."""
    groups = groups or _groups(user)
    before = os.getgroups(), os.getegid(), os.geteuid()
    try:
        os.setgroups(groups)
        os.setegid(groups[0])
        os.seteuid(user)
        yield
    finally:
        os.seteuid(before[2])
        os.setegid(before[1])
        os.setgroups(before[0])


def _groups(user: int) -> Sequence[int]:
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return [user]  # a number that no user has: no group but one that nobody is in, either
    return os.getgrouplist(entry.pw_name, entry.pw_gid)
