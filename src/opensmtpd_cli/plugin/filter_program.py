"""The program behind a ``filter`` line of smtpd.conf, and how smtpd starts it.

Source: ``fork_filter_process`` in ``smtpd.c``.
"""

import grp
import os
import pwd
import shlex

from opensmtpd.errors import ConfigError
from opensmtpd_cli.plugin import table_program
from opensmtpd_cli.plugin.start import Account, Program, log_socket
from opensmtpd_cli.smtpdconf.filter_line import PARAMETERS, FilterEntry
from opensmtpd_cli.system import users

SHELL = "/bin/sh"
COMMAND_MAX = 4095
"""Bytes of what the shell gets (``_POSIX_ARG_MAX``)."""


def find(line: FilterEntry) -> str:
    """Return the command as smtpd has it run. Raises ConfigError where there is no program."""
    command = line.command
    if not command.startswith("/"):
        try:
            name = shlex.split(command)[0]
        except (ValueError, IndexError):  # the shell will say what it thinks of it
            name = command.split(" ")[0]
        command = f"{os.path.dirname(table_program.place(name, chroot(line)))}/{command}"
    if len(os.fsencode(f"exec {command}")) > COMMAND_MAX:
        raise ConfigError(f"the command is too long for smtpd: {COMMAND_MAX} bytes with its path")
    return command


def program(line: FilterEntry, command: str) -> Program:
    """Return what to start. Raises ConfigError for a user or a group that is not there."""
    argv = [SHELL, "-c", f"exec {command}"]
    return Program(SHELL, argv, _account(line), chroot(line) or None, log_socket)


def chroot(line: FilterEntry) -> str:
    """Return the folder to shut the filter in; ``""`` for none, and without root."""
    if os.geteuid() != 0 or not line.chroot:
        return ""
    if not os.path.isdir(line.chroot):
        raise ConfigError(f"{line.chroot} is no directory: smtpd cannot chroot there")
    return line.chroot.rstrip("/")


def _account(line: FilterEntry) -> Account | None:
    """Return the account that it runs as; None, without root, to keep our own."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(line.user) if line.user else users.smtpd_user()
    except KeyError:
        raise ConfigError(f"there is no user {line.user}: smtpd would not start") from None
    try:
        group = grp.getgrnam(line.group).gr_gid if line.group else None
    except KeyError:
        raise ConfigError(f"there is no group {line.group}: smtpd would not start") from None
    uid, gid = (entry.pw_uid, entry.pw_gid) if entry else (os.getuid(), os.getgid())
    gid = gid if group is None else group
    return Account(uid, gid, [gid])


def described(line: FilterEntry, command: str) -> str:
    """Return a text with the command, its user and groups, and its chroot."""
    named = {name: getattr(line, name) for name in PARAMETERS if getattr(line, name)}
    if os.geteuid() == 0 and not line.user and (entry := users.smtpd_user()):
        named = {"user": entry.pw_name, **named}
    who = ", ".join(f"{name} {value}" for name, value in named.items())
    if named and os.geteuid() != 0:
        return f"{command}, as who you are: only root can have {who}"
    return f"{command}, {who}" if who else command
