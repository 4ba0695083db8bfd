"""Find out whether smtpd's user can read a file, with the directories on the way to it."""

import os
import pwd
import stat

from opensmtpd_cli.system import acting, denied, users


def readers(path: str) -> str:
    """Return the readers of a file, smtpd's user among them; "" where it is not among them."""
    about = os.stat(path)
    if about.st_mode & stat.S_IROTH:
        return "everybody"
    group = users.group_of(path)
    return f"the group {group}" if about.st_mode & stat.S_IRGRP and group in users.USERS else ""


def lacking(path: str) -> str:
    """Return what to let smtpd's user do, so that it can read a file; "" where it can.

    Root tries it as that user. Others can only go by the modes of the directories and the file.
    """
    user = users.smtpd_user()
    if user is not None:
        return lacking_of(user.pw_name, path)
    shut = [folder for folder in denied.ways(os.path.dirname(path)) if _shut(folder)]
    lacks = [f"enter {', '.join(shut)}"] if shut else []
    if not readers(path):
        command = f"chgrp _smtpd {path} && chmod 640 {path}"
        lacks.append(f"read it: {command} (on Debian: chgrp opensmtpd)")
    return f"let smtpd's user {' and '.join(lacks)}" if lacks else ""


def lacking_of(name: str, path: str) -> str:
    """Return what to let a user do, so that he can read a file; "" where he can, or is not there.

    For root alone.
    """
    try:
        number = pwd.getpwnam(name).pw_uid
    except KeyError:
        return ""
    with acting.being(number):
        return denied.missing(path, write=False)


def _shut(folder: str) -> bool:
    about = os.stat(folder)
    group = about.st_mode & stat.S_IXGRP and users.group_of(folder) in users.USERS
    return not about.st_mode & stat.S_IXOTH and not group
