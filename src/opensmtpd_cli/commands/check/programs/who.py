"""The users, groups and folders that programs are confined to.

Source: ``fork_filter_process`` in ``smtpd.c``.
"""

import grp
import os
import pwd
from collections.abc import Iterator

from opensmtpd.errors import nearest
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs.program_line import FilterRun
from opensmtpd_cli.plugin.filter_program import SHELL
from opensmtpd_cli.plugin.start import Account
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from opensmtpd_cli.system import users

STOPS = "smtpd would stop when it starts, and say so in its log only."


def faults(run: FilterRun) -> Iterator[Finding]:
    """Yield what is wrong with the user, the group and the chroot of a line."""
    entry = run.entry
    user = _user(entry)
    if entry.user and user is None:
        near = _known(entry.user, [each.pw_name for each in pwd.getpwall()])
        make = f"make it: useradd --system --no-create-home --shell /usr/sbin/nologin {entry.user}"
        fault = f"{run.title} runs as user {entry.user}, who does not exist"
        remedy = f"write user {near}" if near else make
        yield finding.error("filter-user-missing", run.place, fault, STOPS, remedy)
    if entry.group and _gid(entry.group) is None:
        near = _known(entry.group, [each.gr_name for each in grp.getgrall()])
        fault = f"{run.title} runs as group {entry.group}, which does not exist"
        remedy = f"write group {near}" if near else f"make it: groupadd --system {entry.group}"
        yield finding.error("filter-group-missing", run.place, fault, STOPS, remedy)
    if user is not None and not entry.group and not _has_name(user.pw_gid):
        fault = f"{run.title} runs as user {user.pw_name}, whose group {user.pw_gid} has no name"
        remedy = f"groupadd --gid {user.pw_gid} {user.pw_name}"
        yield finding.error("filter-group-missing", run.place, fault, STOPS, remedy)
    yield from _chroot_faults(run)


def account(entry: FilterEntry) -> Account | None:
    """Return the account of a line; None where its user or its group is not there."""
    user = _user(entry)
    gid = _gid(entry.group) if entry.group else user and user.pw_gid
    return None if user is None or gid is None else Account(user.pw_uid, gid, [gid])


def table_account() -> Account | None:
    """Return the account of all tables; None where smtpd's own user is not known."""
    user = users.own()
    if user is None:
        return None
    return Account(user.pw_uid, user.pw_gid, os.getgrouplist(user.pw_name, user.pw_gid))


def chroot(entry: FilterEntry) -> str:
    """Return what stands before all paths of a program."""
    return entry.chroot.rstrip("/")


def _chroot_faults(run: FilterRun) -> Iterator[Finding]:
    folder = run.entry.chroot
    if folder and not os.path.isdir(folder):
        fault = f"{run.title} is to be shut in {folder}, which is no directory"
        yield finding.error("filter-chroot-missing", run.place, fault, STOPS, f"mkdir {folder}")
    elif folder and not os.path.exists(chroot(run.entry) + SHELL):
        fault = f"{run.title} is shut in {folder}, where there is no {SHELL} to start it"
        remedy = "put the shell, the program, and all that they need there, or drop the chroot"
        yield finding.error("filter-chroot-empty", run.place, fault, STOPS, remedy)


def _user(entry: FilterEntry) -> pwd.struct_passwd | None:
    if not entry.user:
        return users.own()
    try:
        return pwd.getpwnam(entry.user)
    except (KeyError, ValueError):  # a NUL byte
        return None


def _gid(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None


def _has_name(gid: int) -> bool:
    try:
        grp.getgrgid(gid)
    except KeyError:
        return False
    return True


def _known(name: str, names: list[str]) -> str | None:
    """Return the name that was likely meant: with its underscore, or one that is near."""
    for each in (f"_{name}", name.lstrip("_")):
        if each in names:
            return each
    return nearest(name, names)
