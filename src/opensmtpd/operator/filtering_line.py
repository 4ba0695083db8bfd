"""The program behind a ``filter`` line of smtpd.conf, and how smtpd runs it.

Sources: the rules ``filter``, ``proc`` and ``proc_params`` in ``parse.y``, and
``fork_filter_process`` in ``smtpd.c``.
"""

import grp
import os
import pwd
import re
import shlex
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.operator import programs
from opensmtpd.operator.conf_lexer import END, KEYWORD, NEWLINE, WORD, Lexer, Token
from opensmtpd.operator.starting import Account, Program, log_socket

SHELL = "/bin/sh"
COMMAND_MAX = 4095
"""Bytes of what the shell gets (``_POSIX_ARG_MAX``)."""
_REMEDY = 'write it as: filter NAME proc-exec "COMMAND", or give the command alone'
_PARAMETERS = ("user", "group", "chroot")


class FilterLine(NamedTuple):
    """What a line says. What it does not say is ``""``."""

    name: str
    command: str
    user: str = ""
    group: str = ""
    chroot: str = ""


def parse(text: str) -> FilterLine:
    """Read a line of smtpd.conf, or a command alone. Raises ConfigError."""
    text = text.strip()
    if not re.match(r"(filter|proc)[ \t\\]", text):
        if not text or text.startswith("#") or "\n" in text:
            raise ConfigError("no filter line", remedy=_REMEDY)
        return FilterLine(text.split()[0].rpartition("/")[2], text)
    words = _words(text)
    kinds = [word.kind for word in words]
    proc = words[0].text == "proc"
    verb = "" if proc or len(words) < 3 or kinds[2] != KEYWORD else words[2].text
    if verb in ("phase", "chain"):
        raise ConfigError(_BUILT_IN[verb])
    if verb == "proc" and kinds[3:] == [WORD]:
        remedy = f"give its line: proc {words[3].text} ..."
        raise ConfigError("the command stands in another line of smtpd.conf", remedy=remedy)
    at = 1 if proc else 2
    if kinds[1] != WORD or kinds[at + 1 : at + 2] != [WORD] or (not proc and verb != "proc-exec"):
        raise ConfigError("no filter line", remedy=_REMEDY)
    if not words[at + 1].text.strip():
        raise ConfigError("no filter line: the command is empty", remedy=_REMEDY)
    return FilterLine(words[1].text, words[at + 1].text, **_parameters(words[at + 2 :]))


_BUILT_IN = {
    "phase": "a filter with a phase is a part of smtpd: there is no program to run",
    "chain": "a chain is filters in a row: there is no program to run; give the line of one",
}


def _words(text: str) -> list[Token]:
    """Return the words of one line."""
    words: list[Token] = []
    try:
        lexer = Lexer("", lambda _: os.fsencode(text))
        while (token := lexer.token()).kind != END:
            word = os.fsdecode(token.text.encode("utf-8", "surrogateescape"))
            words.append(token._replace(text=word))
    except ConfigError as error:
        remedy = "write its value there: the rest of smtpd.conf is not read"
        macro = error.message.startswith("macro ")
        raise ConfigError(f"no filter line: {error.message}", remedy=remedy * macro) from None
    if words[-1].kind == NEWLINE:
        words.pop()
    if any(word.kind == NEWLINE for word in words) and words[2:3] and words[2].text != "chain":
        raise ConfigError("more than one line", remedy="give one filter")
    return words


def _parameters(words: list[Token]) -> dict[str, str]:
    """Read ``user U``, ``group G`` and ``chroot D``, in any order."""
    found: dict[str, str] = {}
    while words:
        name = words[0].text
        if (
            words[0].kind != KEYWORD
            or name not in _PARAMETERS
            or [word.kind for word in words[1:2]] != [WORD]
        ):
            raise ConfigError(
                f"no filter line: not understood: {name}",
                remedy='behind the command come user "U", group "G" and chroot "D"',
            )
        if name in found:
            raise ConfigError(f"no filter line: {name} stands there twice")
        if not words[1].text:
            raise ConfigError(f"no filter line: {name} is empty: smtpd would not start")
        found[name] = words[1].text
        words = words[2:]
    return found


def find(line: FilterLine) -> str:
    """Return the command as smtpd has it run. Raises ConfigError where there is no program."""
    command = line.command
    if not command.startswith("/"):
        try:
            name = shlex.split(command)[0]
        except (ValueError, IndexError):  # the shell will say what it thinks of it
            name = command.split(" ")[0]
        folder = os.path.dirname(programs.place(name, chroot(line)))
        command = f"{folder}/{command}"
    if len(os.fsencode(f"exec {command}")) > COMMAND_MAX:
        raise ConfigError(f"the command is too long for smtpd: {COMMAND_MAX} bytes with its path")
    return command


def program(line: FilterLine, command: str) -> Program:
    """Return what to start. Raises ConfigError for a user or a group that is not there."""
    argv = [SHELL, "-c", f"exec {command}"]
    return Program(SHELL, argv, _account(line), chroot(line) or None, log_socket)


def chroot(line: FilterLine) -> str:
    """Return the folder to shut the filter in; ``""`` for none, and for who is not root."""
    if os.geteuid() != 0 or not line.chroot:
        return ""
    if not os.path.isdir(line.chroot):
        raise ConfigError(f"{line.chroot} is no directory: smtpd cannot chroot there")
    return line.chroot.rstrip("/")


def _account(line: FilterLine) -> Account | None:
    """Return whom it runs as; None to stay who we are."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(line.user) if line.user else programs.smtpd_user()
    except KeyError:
        raise ConfigError(f"there is no user {line.user}: smtpd would not start") from None
    try:
        group = grp.getgrnam(line.group).gr_gid if line.group else None
    except KeyError:
        raise ConfigError(f"there is no group {line.group}: smtpd would not start") from None
    uid, gid = (entry.pw_uid, entry.pw_gid) if entry else (os.getuid(), os.getgid())
    gid = gid if group is None else group
    return Account(uid, gid, [gid])


def described(line: FilterLine, command: str) -> str:
    """Return what is run, as whom and where."""
    named = {name: getattr(line, name) for name in _PARAMETERS if getattr(line, name)}
    if os.geteuid() == 0 and not line.user and (entry := programs.smtpd_user()):
        named = {"user": entry.pw_name, **named}
    who = ", ".join(f"{name} {value}" for name, value in named.items())
    if named and os.geteuid() != 0:
        return f"{command}, as who you are: only root can have {who}"
    return f"{command}, {who}" if who else command
