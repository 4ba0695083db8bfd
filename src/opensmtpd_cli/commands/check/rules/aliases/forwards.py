"""Find .forward files that smtpd refuses, and the mail of their users with them.

Sources: ``parent_forward_open`` in smtpd.c, ``secure_file`` in util.c.
"""

import os
import pwd
import stat
from collections.abc import Iterator

from opensmtpd_cli.commands.check.finding import Finding, error, unseen
from opensmtpd_cli.commands.check.server import Server

USERS_MAX = 2000
_PEOPLE = range(1000, 30000)
"""Numbers of users who are people, on Debian and the BSDs; and there is root."""
_SIZE_MAX = 4 * 1024
"""MAX_FORWARD_SIZE of forward.c."""


def forwards(server: Server) -> Iterator[Finding]:
    """Yield the users of this machine whose .forward smtpd does not trust."""
    actions = server.configuration.actions.values()
    if not any(each.kind != "relay" and not each.userbase for each in actions):
        return
    hidden = False
    people = [user for user in pwd.getpwall() if user.pw_uid == 0 or user.pw_uid in _PEOPLE]
    for user in people[:USERS_MAX]:
        path = os.path.join(user.pw_dir, ".forward")
        try:
            fault = _fault(path, user)
        except PermissionError:
            hidden = True
            continue
        except OSError:
            continue
        if fault:
            what, remedy = fault
            yield error(
                "forward-refused",
                (path, 0),
                f"smtpd refuses it: {what}",
                f"Mail that would be delivered to {user.pw_name} is refused.",
                remedy,
            )
    if hidden and not server.root:
        yield unseen(
            "forward-unseen",
            ("", 0),
            "the .forward files of some users were not looked at",
            "",
            "run this as root",
        )


def _fault(path: str, user: pwd.struct_passwd) -> tuple[str, str] | None:
    """Return what smtpd holds against a .forward, and the remedy. Raises OSError."""
    about = os.lstat(path)
    if not stat.S_ISREG(about.st_mode):
        return "it is a symbolic link, or no file", "put a file in its place"
    if about.st_uid != user.pw_uid:
        return f"it does not belong to {user.pw_name}", f"chown {user.pw_name} {path}"
    if about.st_mode & 0o022:
        return "its group or everybody may write to it", f"chmod go-w {path}"
    if about.st_size >= _SIZE_MAX:
        return f"it has {_SIZE_MAX} bytes or more", "shorten it, or make an alias with :include:"
    home = os.path.realpath(user.pw_dir)
    if os.stat(home).st_mode & stat.S_ISVTX:
        return f"{home} has the sticky bit", f"chmod -t {home}"
    return _above(os.path.dirname(os.path.realpath(path)), home, user)


def _above(folder: str, home: str, user: pwd.struct_passwd) -> tuple[str, str] | None:
    while True:
        about = os.stat(folder)
        if about.st_uid not in (0, user.pw_uid):
            return f"{folder} does not belong to {user.pw_name}", f"chown {user.pw_name} {folder}"
        if about.st_mode & 0o022:
            return f"the group of {folder} or everybody may write to it", f"chmod go-w {folder}"
        if folder in (home, "/"):
            return None
        folder = os.path.dirname(folder)
