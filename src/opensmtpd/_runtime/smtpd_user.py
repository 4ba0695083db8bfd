"""The users as whom smtpd runs a program, by smtpd.conf, and the check of ``-n`` as one of them.

Root can read everything, so that a check by root alone finds nothing wrong with the permissions of
a file. smtpd.conf is read line by line, without its macros and included files: where a line is not
found, root's check is all there is.
"""

import grp
import os
import pwd
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.files import reading
from opensmtpd.log import text

CONFS = (
    "/etc/mail/smtpd.conf",
    "/etc/smtpd.conf",
    "/etc/smtpd/smtpd.conf",
    "/usr/local/etc/mail/smtpd.conf",
)
"""Where smtpd.conf is: on OpenBSD, on Debian, on Alpine and Arch, on FreeBSD."""
OWN = ("_smtpd", "opensmtpd", "smtpd")
"""smtpd's own user: on the BSDs, on Debian, elsewhere. Tables run as this one."""
CONF_MAX = 1 << 20
FAULT_MAX = 4096

_WORD = r'(?:"(?:[^"\\\n]|\\.)*"|[^\s"#]+)'
_FILTER = re.compile(
    rf'^[ \t]*(?:proc[ \t]+{_WORD}|filter[ \t]+{_WORD}[ \t]+proc-exec)[ \t]+"((?:[^"\\\n]|\\.)*)"'
    rf"((?:[ \t]+(?:user|group|chroot)[ \t]+{_WORD})*)",
    re.MULTILINE,
)
_TABLE = re.compile(rf"^[ \t]*table[ \t]+{_WORD}[ \t]+({_WORD})", re.MULTILINE)
_PARAMETER = re.compile(rf"(user|group|chroot)[ \t]+({_WORD})")


class RunLine(NamedTuple):
    """A line of smtpd.conf that runs the program; ``group`` is "" for the user's own."""

    number: int
    command: str
    user: str
    group: str


def check_as_users(program: str, argv: list[str], check: Callable[[], object]) -> list[str]:
    """Call ``check`` as each user as whom smtpd would run ``program``; return their names.

    ``argv`` are the arguments of the program. Where lines of smtpd.conf have the same, only those
    count. Raises ConfigError with the line for a ``check`` that fails.
    """
    conf = next((path for path in CONFS if os.path.exists(path)), "")
    try:
        with reading(conf) as file:
            lines = list(_lines(file.read(CONF_MAX).decode("utf-8", "replace"), program, argv))
    except ConfigError:
        return []
    wanted = [each for each in argv if each not in ("-n", "--check")]
    lines = [each for each in lines if _arguments(each.command) == wanted] or lines
    users = {(each.user, each.group): each for each in reversed(lines)}
    for line in users.values():
        fault = _fault(line, check)
        if fault:
            raise ConfigError(f"as user {line.user}: {fault}", path=conf, line=line.number)
    return sorted({each.user for each in lines})


def _lines(text: str, program: str, argv: list[str]) -> Iterator[RunLine]:
    own = next((name for name in OWN if _known(name)), "")
    joined = text.replace("\\\n", "  ")  # as long as before
    for found in _FILTER.finditer(joined):
        command = found[1].replace('\\"', '"')
        given = {name: word.strip('"') for name, word in _PARAMETER.findall(found[2])}
        user = given.get("user", own)
        # In another root there may be other files.
        if user and "chroot" not in given and _name(command) == program:
            yield RunLine(_number(text, found), command, user, given.get("group", ""))
    for found in _TABLE.finditer(joined):
        kind, _, path = found[1].strip('"').partition(":")
        if own and f"table-{kind}" == program and path in argv:
            yield RunLine(_number(text, found), f"{program} {path}", own, "")


def _number(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1


def _name(command: str) -> str:
    """Return the name of the program that a command runs."""
    return command.partition(" ")[0].rpartition("/")[2]


def _arguments(command: str) -> list[str] | None:
    try:
        return shlex.split(command)[1:]
    except ValueError:  # an open quote
        return None


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _fault(line: RunLine, check: Callable[[], object]) -> str:
    """Call ``check`` in a child that becomes the line's user; return the text of its error."""
    sys.stdout.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _be_checked(line, check, writer)
    os.close(writer)
    with open(reader, "rb") as said:
        fault = said.read(FAULT_MAX)
    _, status = os.waitpid(child, 0)
    return fault.decode("utf-8", "replace") or ("it does not end well" if status else "")


def _be_checked(line: RunLine, check: Callable[[], object], writer: int) -> NoReturn:
    """Call ``check`` as the user of a line, write the text of its error, and exit."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):  # its warnings have been seen
            os.dup2(nothing, fd)
        _become(line)
        check()
    except BaseException as error:
        shown = text(error) if isinstance(error, LocalError) else type(error).__name__
        os.write(writer, shown.encode("utf-8", "backslashreplace")[:FAULT_MAX])
    os._exit(0)


def _become(line: RunLine) -> None:
    """Become a user as smtpd does it (``fork_filter_process`` in ``smtpd.c``)."""
    try:
        user = pwd.getpwnam(line.user)
        gid = grp.getgrnam(line.group).gr_gid if line.group else user.pw_gid
    except KeyError:
        missing = f"group {line.group}" if _known(line.user) else "such user"
        raise ConfigError(f"there is no {missing}: smtpd would not start") from None
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(user.pw_uid)
