"""``opensmtpd-plugins install``: link the programs to where smtpd looks for them, and undo that.

Nothing is ever replaced, and only links to programs of this installation are removed.
"""

import os
import shlex
from collections.abc import Collection, Mapping
from importlib import metadata
from importlib.util import find_spec

import click

from opensmtpd.errors import ConfigError
from opensmtpd.options import DISTRIBUTION
from opensmtpd_cli import completion
from opensmtpd_cli.commands.install import reach
from opensmtpd_cli.commands.install.owner import owner
from opensmtpd_cli.output import note
from opensmtpd_cli.plugin.table_program import suggested
from opensmtpd_cli.system import denied, folders, libexec, table_support
from opensmtpd_cli.system.signals import signals_held_back

NEEDS = {
    "filter-auth": ("cryptography", "auth"),
    "filter-dkimsign": ("cryptography", "dkim"),
    "filter-dnsbl": ("aiodns", "dns"),
    "filter-greylist": ("aiodns", "dns"),
    "filter-senderscore": ("aiodns", "dns"),
    "table-ldap": ("ldap", "ldap"),
    "table-mysql": ("pymysql", "mysql"),
    "table-postgres": ("psycopg", "postgres"),
}
"""Modules that a program needs to start (not to tell its version), and the extra that has them."""
KINDS = ("filter-", "table-")


def installed() -> dict[str, str]:
    """Return the plugins of this installation, by name: those that pip has written beside us.

    Packages of a system keep the record of what pip would have written, and put it elsewhere.
    """
    distribution = metadata.distribution(DISTRIBUTION)
    wanted = {each.name for each in distribution.entry_points if each.name.startswith(KINDS)}
    recorded = {
        file.name: os.path.normpath(str(distribution.locate_file(file)))
        for file in distribution.files or ()
        if file.name in wanted
    }
    found = {name: path for name, path in recorded.items() if os.path.exists(path)}
    if not found:
        remedy = "packages put them where smtpd looks for them: there is nothing to do"
        raise ConfigError("pip has not installed this command, nor any programs", remedy=remedy)
    return dict(sorted(found.items()))


def chosen(every: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the plugins of these names, or else all that can run. Raises ConfigError."""
    unknown = [name for name in names if name not in every]
    if unknown:
        near = suggested(unknown[0], every)
        remedy = f"there are {' '.join(every)}"
        raise ConfigError(f"there is no program {unknown[0]}{near}", remedy=remedy)
    wanted = {name: path for name, path in every.items() if not names or name in names}
    _spare_tables(wanted, names)
    for name in list(wanted):
        module, extra = NEEDS.get(name, ("", ""))
        if not module or find_spec(module):
            continue
        missing = f"{name} needs {module}, of the extra {extra}, and would end smtpd"
        if names:
            remedy = f"pip install '{DISTRIBUTION}[{extra}]'"
            raise ConfigError(missing, remedy=remedy)
        note(f"left out: {missing}")
        del wanted[name]
    return wanted


def _spare_tables(wanted: dict[str, str], names: Collection[str]) -> None:
    """Leave tables out where smtpd cannot use them. Raises ConfigError if one is named."""
    tables = [name for name in wanted if name.startswith("table-")]
    fault = table_support.installed_lacking() if tables else ""
    if fault and names:
        raise ConfigError(fault, remedy=table_support.REMEDY)
    if fault:
        note(f"left out: {', '.join(tables)}: {fault}; {table_support.REMEDY}")
        for name in tables:
            del wanted[name]


def obstacles(folder: str, wanted: Mapping[str, str]) -> list[str]:
    """Return the names in the directory that are taken by something else."""
    taken = [name for name in wanted if os.path.lexists(os.path.join(folder, name))]
    return [name for name in taken if target(folder, name) != wanted[name]]


def target(folder: str, name: str) -> str | None:
    """Return the path that a link leads to; None for a file that is no link."""
    path = os.path.join(folder, name)
    if not os.path.islink(path):
        return None
    return os.path.normpath(os.path.join(folder, os.readlink(path)))


def refuse(folder: str, names: Collection[str], wanted: Collection[str]) -> None:
    """Raise a ConfigError that tells whose the names are, if there are any."""
    if not names:
        return
    owners = {name: owner(os.path.join(folder, name)) for name in names}
    told = [f"{name} (package {of})" if of else name for name, of in owners.items()]
    remedies = []
    packages = sorted({of for of in owners.values() if of})
    if packages:
        remedies.append(f"remove {', '.join(packages)}")
    others = sorted(filter(None, {another(folder, name) for name in names}))
    remedies += [f"undo the other installation: {other} install --undo" for other in others]
    if not all(of or another(folder, name) for name, of in owners.items()):
        remedies.append("move away what is no package's")
    left = [name for name in wanted if name not in names]
    if left:
        remedies.append(f"link only the others: {DISTRIBUTION} install {' '.join(left)}")
    raise ConfigError(
        f"not replaced: {', '.join(told)}", path=folder, remedy=", or ".join(remedies)
    )


def another(folder: str, name: str) -> str | None:
    """Return the command, for a shell, of the installation that a link leads to."""
    leads = target(folder, name)
    command = os.path.join(os.path.dirname(leads or ""), DISTRIBUTION)
    return shlex.quote(command) if leads and os.access(command, os.X_OK) else None


def link(folder: str, wanted: Mapping[str, str]) -> list[str]:
    """Make the links that are missing, all or none, and return their paths. Raises ConfigError."""
    made: list[str] = []
    here = folders.opened(folder)
    try:
        with signals_held_back():
            for name, program in wanted.items():
                if target(folder, name) is None:
                    os.symlink(program, name, dir_fd=here)
                    made.append(name)
    except BaseException as error:
        for name in made:
            os.unlink(name, dir_fd=here)
        if isinstance(error, OSError):
            raise _cannot(folder, error) from None
        raise
    finally:
        os.close(here)
    return [os.path.join(folder, name) for name in made]


def unlink(folder: str, every: Mapping[str, str], names: Collection[str]) -> list[str]:
    """Remove links to programs of this installation, gone ones too, and return their paths.

    Raises ConfigError.
    """
    ours = {os.path.dirname(program) for program in every.values()}
    removed: list[str] = []
    here = folders.opened(folder)
    try:
        for name in sorted(os.listdir(here)):
            leads = target(folder, name) if name.startswith(KINDS) else None
            if leads is None or os.path.dirname(leads) not in ours or (names and name not in names):
                continue
            os.unlink(name, dir_fd=here)
            removed.append(os.path.join(folder, name))
    except OSError as error:
        raise _cannot(folder, error) from None
    finally:
        os.close(here)
    return removed


def _cannot(folder: str, error: OSError) -> ConfigError:
    error.filename = os.path.join(folder, "link")
    remedy = denied.remedy(error)
    return ConfigError(f"cannot be changed: {error.strerror}", path=folder, remedy=remedy)


def place(given: str | None) -> str:
    """Return the one directory to put links into. Raises ConfigError with a remedy."""
    if given == "":
        raise ConfigError("a directory without a name", remedy="name one with --directory")
    places = (os.path.abspath(given),) if given else libexec.folders()
    there = [place for place in places if os.path.isdir(place)]
    if len(there) == 1:
        return there[0]
    if there:
        remedy = f"name one of them with --directory: {' '.join(there)}"
        raise ConfigError("smtpd may look for its programs in several places", remedy=remedy)
    if given:
        raise ConfigError("no such directory", path=given, remedy=f"mkdir -p {places[0]}")
    if len(places) == 1:
        raise ConfigError(
            "the directory where smtpd looks for its programs does not exist",
            path=places[0],
            remedy=f"mkdir -p {places[0]}",
        )
    remedy = "install OpenSMTPD, or name the directory with --directory"
    raise ConfigError("there is no smtpd here, nor a directory for its programs", remedy=remedy)


@click.command("install", short_help="Link the programs to where smtpd looks for them.")
@click.argument("names", nargs=-1, metavar="[PROGRAM]...")
@click.option(
    "--directory",
    metavar="DIR",
    shell_complete=completion.complete_folders,
    help="Link them there, and not to where this system's smtpd looks for its programs.",
)
@click.option("--undo", is_flag=True, help="Remove the links again, and nothing else.")
def command(names: tuple[str, ...], directory: str | None, undo: bool) -> None:
    """Link the filters and tables of this installation to where smtpd looks for them.

    All that can run, or each PROGRAM. Nothing is replaced: if anything else has one of the names,
    no link is made, and it is said what to do.
    """
    every = installed()
    folder = place(directory)
    if undo:
        removed = unlink(folder, every, names)
        for path in removed:
            note(f"removed {path}")
        if not removed:
            note(f"{folder}: there are no links of this installation")
        return
    wanted = chosen(every, names)
    needed = {NEEDS[name][0] for name in wanted if name in NEEDS}
    shut = reach.closed(reach.parts(wanted.values(), needed))
    if shut:
        remedy = "install with pipx install --global, or with pip into a venv below /opt"
        reason = "is closed to others, and smtpd runs its plugins as users of their own"
        raise ConfigError(reason, path=shut, remedy=remedy)
    refuse(folder, obstacles(folder, wanted), wanted)
    made = link(folder, wanted)
    for path in made:
        note(f"linked {path} to {os.readlink(path)}")
    if made and os.path.realpath(folder) not in map(os.path.realpath, libexec.folders()):
        note(f"{folder}: smtpd does not look there: it finds filters by their paths, and no tables")
    elif made:
        note(f"now smtpd.conf can name them: {os.readlink(made[0])} --help shows how")
    else:
        note(f"{folder}: all is linked already")
