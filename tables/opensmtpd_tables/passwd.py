"""table-passwd: users from a file in the format of passwd(5).

In smtpd.conf::

    table users passwd:/etc/mail/passwd

Takes the files of the C table-passwd and gives the same answers. table-passwd(5) describes them,
what there is besides, and where the two differ.
"""

import argparse
from typing import NamedTuple

from opensmtpd import options, run
from opensmtpd.backends.strtonum import strtonum
from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.needs import Needs, no_sandbox
from opensmtpd.table import Service, Table, passwords, to_bytes, to_str
from opensmtpd.table.file import auth_directive, directive, lines, sandbox_directive

EPILOG = """\
In smtpd.conf:

  table users passwd:/etc/mail/passwd
  listen on 0.0.0.0 tls pki mail auth <users>
  action "deliver" maildir userbase <users>

and in /etc/mail/passwd, where smtpctl encrypt makes the second field and more fields may follow:

  alice:$2b$10$...:1000:1000:Alice:/home/alice:/sbin/nologin

A file with the line "# @auth" has passwords checked here, so that hashes may be of kinds that
smtpd itself does not know.
"""

SERVICES = frozenset([Service.CREDENTIALS, Service.USERINFO])
FIELDS = 6
ID_MAX = 0xFFFFFFFF


class User(NamedTuple):
    """A line, its fields as they stand there."""

    line: int
    name: str
    hash: str
    uid: str
    gid: str
    home: str


class Users:
    """The users of a file, by name."""

    def __init__(self, path: str) -> None:
        """Read it. Raises ConfigError."""
        self.path = path
        self.by_name: dict[str, User] = {}
        """By the names in lower case (ASCII), as smtpd asks for them."""
        directives = {}
        for number, line in enumerate(lines(path), 1):
            text, mark, _ = line.partition(b"#")  # wherever it stands
            if text.strip():
                self._add(_user(text.rstrip(b"\r\n"), path, number))
            elif mark:
                name, argument = directive(line)
                directives[name] = argument
        self.auth = auth_directive(directives, path)
        self.sandbox = sandbox_directive(directives, path)

    def _add(self, user: User) -> None:
        name = to_str(to_bytes(user.name).lower())
        known = self.by_name.get(name)
        # The C program finds no name with capitals: such a line must not hide one that it finds.
        # Of equal names the last counts.
        if known is None or known.name != name or user.name == name:
            self.by_name[name] = user

    def userinfo(self, user: User) -> str | None:
        """Return ``uid:gid:home``. Raises ConfigError where one is empty, and for bad numbers."""
        uid, gid = strtonum(user.uid, ID_MAX), strtonum(user.gid, ID_MAX)
        if uid is None or gid is None:
            fault = f"the {'uid' if uid is None else 'gid'} is no number from 0 to {ID_MAX}"
            raise ConfigError(fault, path=self.path, line=user.line)
        if not user.home:
            raise ConfigError("no home directory", path=self.path, line=user.line)
        return f"{uid}:{gid}:{user.home}"

    def credentials(self, user: User) -> str:
        """Return ``name:hash``. Raises ConfigError where there is none."""
        if not user.hash:
            raise ConfigError("no password", path=self.path, line=user.line)
        return f"{user.name}:{_for_crypt(user.hash)}"


def _for_crypt(hash: str) -> str:
    """Return a hash that smtpd compares with that of crypt(3): without Dovecot's ``{CRYPT}``."""
    bare = passwords.bare(hash)
    found = passwords.inspect(bare)
    return bare if found.by_crypt and not found.fault else hash


def _user(text: bytes, path: str, number: int) -> User:
    """Read a line. Raises ConfigError."""
    fields = to_str(text).split(":")
    if b"\0" in text:
        fault = "a NUL byte"
    elif len(fields) < FIELDS:
        fault = f"{FIELDS} or more fields belong here, not {len(fields)}"
    else:
        fault = "" if fields[0] else "no name"
    if fault:
        remedy = "write name:hash:uid:gid:comment:home:shell; a # ends the line"
        raise ConfigError(fault, path=path, line=number, remedy=remedy)
    name, hash, uid, gid, _, home = fields[:FIELDS]
    return User(number, name, hash, uid, gid, home)


class Passwd(Table):
    """Serves the users of one file from memory."""

    def __init__(self, flags: argparse.Namespace) -> None:
        """Raises ConfigError for a file that cannot be used."""
        self.path: str = flags.path
        self.users = Users(self.path)
        # Services are registered once: @auth that comes later waits for a restart of smtpd.
        self.services = SERVICES if self.users.auth is None else SERVICES | {Service.AUTH}
        self.force_auth = self.users.auth == "force"
        self.needs = Needs(reads=(self.path,))
        if not self.users.sandbox:
            no_sandbox()
        if Service.AUTH in self.services and flags.check:
            found = self.users.by_name.values()
            passwords.check_rows(((u.line, u.name, u.hash) for u in found), self.path)

    def update(self) -> None:
        """Read the file anew. Raises ConfigError and keeps the old users."""
        self.users = Users(self.path)

    def lookup(self, service: Service, key: str) -> str | None:
        """Return the user's entry. Raises ConfigError where the fields that it takes are empty."""
        user = self.users.by_name.get(key)
        if user is None:
            return None
        if service is Service.USERINFO:
            return self.users.userinfo(user)
        if service is Service.CREDENTIALS:
            return self.users.credentials(user)
        if service is Service.AUTH:  # no password matches an empty hash
            return f"{user.name}:{user.hash}"
        raise LocalError("a passwd file has no such rows")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    return options.table_parser("table-passwd", "Serve users from a passwd file.", EPILOG)


def main() -> None:
    """Run table-passwd."""
    run.table(Passwd, parser())


if __name__ == "__main__":
    main()
