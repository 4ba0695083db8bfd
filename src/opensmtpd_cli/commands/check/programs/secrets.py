"""Files with secrets: who else can read them, or put others in their place.

A private key that others can read signs their mail; one that others can write, or whose folder is
theirs, is soon their own key.
"""

import grp
import os
import pwd
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.system import denied
from opensmtpd_cli.system.users import group_name, name_of

_HEAD = 65536
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_PASSWORD = re.compile(
    rb"^[ \t]*(?:password[ \t:]+[^ \t\r\n]|conninfo[ \t:][^\n]{0,1000}\bpassword[ \t]*="
    rb"|(?:conninfo|url)[ \t:][^\n]{0,1000}://[^/@ \t\n]{0,200}:[^/@ \t\n]{1,200}@)",
    re.MULTILINE,
)
"""The password for a server in the configuration of table-ldap, -mysql, -redis or -postgres."""
_PASSWORD_FILE = re.compile(
    rb"^[ \t]*(?:(?:password_file|defaults_file)[ \t:]+([^\r\n]+)"
    rb"|conninfo[ \t:][^\n]{0,1000}\bpassfile[ \t]*=[ \t]*'?([^' \t\r\n]+))",
    re.MULTILINE,
)
"""A file besides, in which it stands."""


class Secret(NamedTuple):
    """A file that is for some only."""

    place: tuple[str, int]
    what: str
    """Words for it, as "the private key"."""
    path: str
    users: tuple[int, ...]
    """The users, besides root, that it is for."""
    groups: tuple[int, ...]
    """Their groups."""
    others_read: str
    """Harm that others can do who read it; "" where they may."""
    others_write: str
    """Harm that others can do who write it, or its directory."""
    shared: bool = False
    """True where its owner and its group may be other services that use it."""


def is_private_key(path: str) -> bool:
    """Return whether a file holds a private key in PEM, or seems to."""
    return _PRIVATE_KEY.search(_head(path)) is not None


def has_password(path: str) -> bool:
    """Return whether the configuration of a table holds the password for its server."""
    return _PASSWORD.search(_head(path)) is not None


def password_files(path: str) -> list[str]:
    """Return the files that the configuration of a table names for the password of its server."""
    found = [(one or other).strip() for one, other in _PASSWORD_FILE.findall(_head(path))]
    return [os.fsdecode(each) for each in found if each.startswith(b"/")]


def _head(path: str) -> bytes:
    try:
        with reading(path) as file:
            return file.read(_HEAD)
    except ConfigError:
        return b""


def exposed(secrets: Iterable[Secret]) -> Iterator[Finding]:
    """Yield what others can do with secrets."""
    for each in secrets:
        with suppress(FileNotFoundError, NotADirectoryError):
            yield from _exposed(each)


def _exposed(secret: Secret) -> Iterator[Finding]:
    real = os.path.realpath(secret.path)
    about = os.stat(real)
    if not stat.S_ISREG(about.st_mode):  # /dev/null, for a table without rows
        return
    readers = _others(secret, real, about, stat.S_IROTH, stat.S_IRGRP)
    if secret.others_read and readers:
        fault = f"{readers} can read {secret.what} {secret.path}"
        mend = f"chmod {'o=' if about.st_mode & stat.S_IROTH else 'g='} {real}"
        yield finding.warning("secret-readable", secret.place, fault, secret.others_read, mend)
    for path in (real, *reversed(list(denied.ways(os.path.dirname(real))))):
        about = os.stat(path)
        if who := _writers(secret, path, about, file=path == real):
            verb = "write to" if path == real else f"put another file into {path}, in the place of"
            fault = f"{who} can {verb} {secret.what} {secret.path}"
            give = f"chown {_owner(secret)} {path}"
            mend = give if _theirs(secret, about) else f"chmod go-w {path}"
            yield finding.warning("secret-writable", secret.place, fault, secret.others_write, mend)
            return  # who can do it farther up can be looked for when this is mended


def _theirs(secret: Secret, about: os.stat_result) -> bool:
    """Return whether it belongs to somebody whom the secret is not for."""
    return about.st_uid not in (0, *secret.users) and not secret.shared


def _owner(secret: Secret) -> str:
    """Return the user who may own it and its directories: its own, or root."""
    return name_of(secret.users[0]).removeprefix("user ") if secret.users else "root"


def _writers(secret: Secret, path: str, about: os.stat_result, *, file: bool) -> str:
    """Return words for those who can write there, and should not; "" for nobody."""
    if _theirs(secret, about):
        return name_of(about.st_uid)
    if not file and about.st_mode & stat.S_ISVTX:  # what is not theirs there, they leave
        return ""
    return _others(secret, path, about, stat.S_IWOTH, stat.S_IWGRP)


def _others(secret: Secret, path: str, about: os.stat_result, world: int, group: int) -> str:
    """Return words for those to whom the bits of a mode give something, and should not.

    They must also be able to enter the directories on the way.
    """
    way = [os.stat(folder) for folder in denied.ways(os.path.dirname(path))]
    if about.st_mode & world and all(folder.st_mode & stat.S_IXOTH for folder in way):
        return "every user of this machine"
    if not about.st_mode & group or not _strange(secret, about.st_gid):
        return ""
    for folder in way:
        same = folder.st_gid == about.st_gid and folder.st_mode & stat.S_IXGRP
        if not same and not folder.st_mode & stat.S_IXOTH:
            return ""
    return f"the group {group_name(about.st_gid)}"


def _strange(secret: Secret, gid: int) -> bool:
    """Return whether a group has members that the secret is not for."""
    if secret.shared or gid in (0, *secret.groups):
        return False
    members = {each.pw_uid for each in pwd.getpwall() if each.pw_gid == gid}
    with suppress(KeyError):
        for name in grp.getgrgid(gid).gr_mem:
            with suppress(KeyError):
                members.add(pwd.getpwnam(name).pw_uid)
    return bool(members - {0, *secret.users})
