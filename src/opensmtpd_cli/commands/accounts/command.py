"""``opensmtpd-plugins user``, ``alias`` and ``domain``: rows of a database."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from opensmtpd.errors import ConfigError
from opensmtpd.table import Service, text
from opensmtpd.table.limits import ID_MAX
from opensmtpd_cli import completion, terminal
from opensmtpd_cli.commands.accounts import names
from opensmtpd_cli.database import locations
from opensmtpd_cli.database.new_tables import NewTables
from opensmtpd_cli.database.schema import COLUMNS, CatalogueEntry
from opensmtpd_cli.database.store import Store, chosen, having
from opensmtpd_cli.output import complain, note, printing
from opensmtpd_cli.plugin import row_warnings
from opensmtpd_cli.smtpdconf.row_kinds import RowKind
from opensmtpd_cli.system import readers
from opensmtpd_cli.system.signals import signals_held_back
from opensmtpd_cli.usage import CommandGroup

Command = TypeVar("Command", bound=Callable[..., Any])

LOGINS = (Service.CREDENTIALS, RowKind.CREDENTIALS)
PLACES = (Service.USERINFO, RowKind.USERINFO)
ALIASES = (Service.ALIAS, RowKind.MAPPING)
DOMAINS = (Service.DOMAIN, RowKind.LIST)


def _needed(
    db: Store, what: tuple[Service, RowKind], name: str | None, database: str
) -> CatalogueEntry:
    entry = chosen(db, *what, name)
    if entry is None:
        remedy = _to_have(db, what, database)
        raise ConfigError(f"no table has the service {what[0]}", path=database, remedy=remedy)
    return entry


def _to_have(db: Store, what: tuple[Service, RowKind], database: str) -> str:
    """Return how to come to a table with rows of a kind."""
    fit = [entry.name for entry in db.entries() if entry.kind is what[1]]
    if fit:
        return f"name one with --table: {', '.join(fit)}"
    if what is LOGINS:
        return f"add the first user: opensmtpd-plugins user add {database} NAME"
    return "import an smtpd.conf that has one"


def _missing(database: str, key: str, entry: CatalogueEntry) -> ConfigError:
    return ConfigError(f"{key} is not in {entry.name}", path=database)


def _remove(what: tuple[Service, RowKind], database: str, name: str, table: str | None) -> None:
    key = text.lower(name)
    with locations.opened(database, write=True) as db:
        entry = _needed(db, what, table, database)
        if not db.delete(entry, key):
            raise _missing(database, key, entry)
    note(f"removed {key} from {entry.name}")


def _insert(what: tuple[Service, RowKind], database: str, table: str | None, *row: str) -> None:
    with locations.opened(database, write=True) as db:
        entry = _needed(db, what, table, database)
        db.insert(entry, *row)
    note(f"added {row[0]} to {entry.name}")


def _list(what: tuple[Service, RowKind], database: str, table: str | None) -> None:
    columns = COLUMNS[what[1]]
    with locations.opened(database) as db:
        entry = _needed(db, what, table, database)
        terminal.table(columns, db.every(entry, *columns))


def arguments(*names: str) -> Callable[[Command], Command]:
    """Return a decorator for what all commands have: DATABASE, their own arguments, ``--table``."""

    def decorate(command: Command) -> Command:
        command = click.option(
            "--table", metavar="NAME", help="The table, where the database has several that fit."
        )(command)
        for name in reversed(names):
            command = click.argument(name)(command)
        return click.argument("database", shell_complete=completion.complete_files)(command)

    return decorate


# --- users ------------------------------------------------------------------------------------


@click.group(cls=CommandGroup, short_help="Add, remove and list users, and set passwords.")
def user() -> None:
    """Users who log in, and whom their mail is delivered as.

    They are the rows of the table that smtpd.conf uses for "auth". Where there is one for
    "userbase" too, a user may have a row in it.
    """


@user.command("add")
@arguments("name")
@click.option("--uid", type=click.IntRange(0, ID_MAX), help="Whom the mail is delivered as.")
@click.option("--gid", type=click.IntRange(0, ID_MAX), help="Its group.")
@click.option(
    "--home",
    metavar="DIRECTORY",
    shell_complete=completion.complete_folders,
    help="Its home directory.",
)
def user_add(
    database: str,
    name: str,
    table: str | None,
    uid: int | None,
    gid: int | None,
    home: str | None,
) -> None:
    """Add the user NAME, who can log in from then on.

    The password is read from the terminal, or from a line of standard input, and stored as hash.

    With --uid, --gid and --home, NAME gets a row in the table for "userbase", too. A table that
    DATABASE does not have yet is made, with its configuration file beside DATABASE, and the line
    for smtpd.conf is printed.
    """
    given = [value for value in (uid, gid, home) if value is not None]
    if len(given) not in (0, 3):
        raise click.UsageError("--uid, --gid and --home go together")
    key = names.checked_user(name)
    place = (key, uid or 0, gid or 0, names.checked_home(home)) if home is not None else None
    _refuse_known(database, key, table)
    hash = _hash()
    with NewTables(database) as new, locations.opened(database, write=True) as db:
        # Both tables first: a new one of MySQL commits the rows before it.
        entry = chosen(db, *LOGINS, table) or new.table(db, *LOGINS)
        other = (chosen(db, *PLACES, None) or new.table(db, *PLACES)) if place else None
        db.insert(entry, key, key, hash)
        if place and other:
            db.insert(other, *place)
        with signals_held_back():
            new.commit(db)
            done = f"{key} was added, but the lines for smtpd.conf"
            with printing(database, done, f"write one for {' and '.join(new.targets)}"):
                new.print()
    for path in new.paths:
        if lacking := readers.lacking(path):
            complain(f"{path}: smtpd cannot read it; {lacking}")
    note(f"added {key} to {entry.name}")


def _refuse_known(database: str, key: str, table: str | None) -> None:
    """Raise ConfigError for a user who is there already: nobody should type a password in vain."""
    with locations.opened(database, write=True) as db:
        entry = chosen(db, *LOGINS, table)
        if entry and db.has(entry, key):
            raise ConfigError(f"{key} is in {entry.name} already", path=database)


def _hash() -> str:
    from opensmtpd.table import passwords  # noqa: PLC0415  only who sets passwords

    return passwords.encrypt(terminal.password("Password", twice=True))


@user.command("passwd")
@arguments("name")
def user_passwd(database: str, name: str, table: str | None) -> None:
    """Change the password of the user NAME.

    It is read from the terminal, or from a line of standard input, and stored as hash.
    """
    key = names.checked_user(name)
    with locations.opened(database, write=True) as db:
        entry = _needed(db, LOGINS, table, database)
        if not db.has(entry, key):
            raise _missing(database, key, entry)
    hash = _hash()
    with locations.opened(database, write=True) as db:
        if not db.set_password(entry, key, hash):
            raise _missing(database, key, entry)
    note(f"changed the password of {key} in {entry.name}")


@user.command("remove")
@arguments("name")
def user_remove(database: str, name: str, table: str | None) -> None:
    """Remove the user NAME, from the table for "userbase" too."""
    key = text.lower(name)
    with locations.opened(database, write=True) as db:
        entry = _needed(db, LOGINS, table, database)
        if not db.delete(entry, key):
            raise _missing(database, key, entry)
        others = [other for other in having(db, *PLACES) if db.delete(other, key)]
    note(f"removed {key} from {', '.join(found.name for found in (entry, *others))}")


@user.command("list")
@arguments()
def user_list(database: str, table: str | None) -> None:
    """List the users, without their passwords: name, and uid, gid and home where there are."""
    with locations.opened(database) as db:
        entry = _needed(db, LOGINS, table, database)
        places = {
            row[0]: row[1:]
            for other in having(db, *PLACES)
            for row in db.every(other, *COLUMNS[RowKind.USERINFO])
        }
        users = [(key, *places.get(key, ())) for (key,) in db.every(entry, "key")]
    terminal.table(COLUMNS[RowKind.USERINFO] if places else ("key",), users)


# --- aliases ----------------------------------------------------------------------------------


@click.group(cls=CommandGroup, short_help="Add, remove and list aliases.")
def alias() -> None:
    """Aliases: names, addresses and domains whose mail goes to others."""


@alias.command("add")
@arguments("name")
@click.argument("destination", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Take a program for a destination.")
def alias_add(
    database: str, name: str, destination: tuple[str, ...], table: str | None, force: bool
) -> None:
    """Send mail for NAME to each DESTINATION.

    NAME is a user, or an address, @domain or @ where smtpd.conf says "virtual". A DESTINATION is
    an address, a user, a file (/path), :include:/path, or error:TEXT, as aliases(5) has them.
    """
    key, value = names.checked_alias(name), names.checked_destinations(destination, force)
    _insert(ALIASES, database, table, key, value)
    for judge in (row_warnings.virtual_key, row_warnings.error_text):
        if warning := judge(key, value):
            complain(f"warning: {warning}")


@alias.command("remove")
@arguments("name")
def alias_remove(database: str, name: str, table: str | None) -> None:
    """Remove the alias NAME."""
    _remove(ALIASES, database, name, table)


@alias.command("list")
@arguments()
def alias_list(database: str, table: str | None) -> None:
    """List the aliases and where they lead."""
    _list(ALIASES, database, table)


# --- domains ----------------------------------------------------------------------------------


@click.group(cls=CommandGroup, short_help="Add, remove and list domains.")
def domain() -> None:
    """Domains that smtpd accepts mail for."""


@domain.command("add")
@arguments("domain")
def domain_add(database: str, domain: str, table: str | None) -> None:
    """Add DOMAIN, or a pattern as *.example.org."""
    _insert(DOMAINS, database, table, names.checked_domain(domain))


@domain.command("remove")
@arguments("domain")
def domain_remove(database: str, domain: str, table: str | None) -> None:
    """Remove DOMAIN."""
    _remove(DOMAINS, database, domain, table)


@domain.command("list")
@arguments()
def domain_list(database: str, table: str | None) -> None:
    """List the domains."""
    _list(DOMAINS, database, table)
