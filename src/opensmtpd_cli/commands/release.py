"""``opensmtpd-plugins release``: let accounts go that filter-limit has stopped."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import click

from opensmtpd.backends.state import existing, options
from opensmtpd.backends.state.existing import ExistingState
from opensmtpd.errors import ConfigError, LocalError
from opensmtpd.mail.limit.stopped import PREFIX, stop_key, user_name
from opensmtpd_cli import completion, terminal
from opensmtpd_cli.database import faults
from opensmtpd_cli.output import fail
from opensmtpd_cli.system import acting, denied, users

NOBODY, UNUSABLE = 1, 3
"""Exit statuses: no user was stopped; the state cannot be used."""
STATUSES = "Exit status: 0 released, 1 nobody was stopped, 2 usage, 3 the state cannot be used."
THE_FILE = "name the file that --state of filter-limit names"


@click.command("release", epilog=STATUSES, short_help="Let accounts go that filter-limit stopped.")
@click.argument("state", metavar="STATE", shell_complete=completion.complete_files)
@click.argument("names", metavar="USER...", nargs=-1, required=True)
@click.pass_context
def command(ctx: click.Context, state: str, names: tuple[str, ...]) -> None:
    """Let accounts go that filter-limit has stopped, before their time.

    STATE is what --state of filter-limit names: the path of a file, or the URL of a server. USER is
    a name as its user logs in with it, or as the log of filter-limit has it; case does not count.
    The next mail of that user passes. smtpd may run meanwhile.

    \b
      opensmtpd-plugins release /var/lib/opensmtpd-plugins/limit/state.db alice
      opensmtpd-plugins release redis://valkey.example.org alice bob@example.org
    """
    left: dict[str, float | None] = {}
    fault = ""
    try:
        with _opened(state) as opened:
            for user in (user_name(os.fsencode(name)) for name in names):
                if user not in left:
                    left[user] = _release(opened, user)
    except LocalError as error:
        fault = str(error)
    for user, seconds in left.items():  # those before a fault are released
        terminal.say(terminal.shown(f"{user}: {_told(seconds)}"))
    if fault:
        fail(fault)
        ctx.exit(UNUSABLE)
    ctx.exit(NOBODY if all(seconds is None for seconds in left.values()) else 0)


def _release(state: ExistingState, user: str) -> float | None:
    """Forget that a user is stopped; return the seconds that were left, None if he was not."""
    note = state.get(stop_key(user))
    if note is None:
        return None
    state.forget(stop_key(user))
    return note.left


def _told(seconds: float | None) -> str:
    if seconds is None:
        return "was not stopped"
    return f"released, {timedelta(seconds=round(seconds))} before the time"


@contextmanager
def _opened(where: str) -> Iterator[ExistingState]:
    """Open the state of filter-limit. Raises LocalError, and so do its steps."""
    if options.is_server(where, "STATE"):
        with closing(existing.on_server(where, PREFIX)) as state:
            yield state
        return
    try:
        # SQLite makes files beside it: they are to be the filter's, too.
        with acting.safely(where, remedy="run this as the user of filter-limit") as real:
            _check_owner(real)
            try:
                with closing(existing.in_file(real)) as state:
                    yield state
            except sqlite3.Error as error:
                raise faults.fault(error, where) from None
    except FileNotFoundError:
        raise ConfigError("there is no such file", path=where, remedy=THE_FILE) from None
    except OSError as error:
        fault = error.strerror or str(error)
        raise ConfigError(fault, path=where, remedy=denied.remedy(error)) from None


def _check_owner(path: str) -> None:
    """Raise ConfigError for a file of another user than our effective one. Raises OSError."""
    owner = os.stat(path, follow_symlinks=False).st_uid
    if owner != os.geteuid():
        name = users.name_of(owner)
        remedy = f"run this as {name}" + (", or as root" if os.getuid() else "")
        raise ConfigError(f"belongs to {name}", path=path, remedy=remedy)
