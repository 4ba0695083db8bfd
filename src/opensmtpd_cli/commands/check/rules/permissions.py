"""Find files that everybody may write to, or read though they hold keys.

smtpd itself asks for no more than that its keys are private (ssl.c) and its queue its own. The
permissions of the files that it reads are for the administrator to keep.
"""

import os
import stat
from collections.abc import Iterator

from opensmtpd_cli.commands.check.finding import Finding, error, warning
from opensmtpd_cli.commands.check.server import Server
from opensmtpd_cli.smtpdconf import recorded
from opensmtpd_cli.smtpdconf.configuration import Configuration
from opensmtpd_cli.system import denied

_KEYS = {
    "srs key": "the key of SRS",
    "srs key backup": "the former key of SRS",
    "queue encryption": "the key of the queue",
}
_NO_KEYS = ("", "stdin", "-")


def writable(server: Server) -> Iterator[Finding]:
    """Yield what everybody may write to: the files that smtpd reads, and the folders on the way."""
    files = {**dict.fromkeys(server.configuration.files), **dict.fromkeys(_tables(server))}
    seen = set()
    for file in files:
        path = os.path.realpath(file)
        for each in (*denied.ways(os.path.dirname(path)), path):
            if each in seen:
                continue
            seen.add(each)
            if (about := _about(each)) is not None and _open_to_all(about):
                yield _writable(each, folder=stat.S_ISDIR(about.st_mode), file=file)


def _open_to_all(about: os.stat_result) -> bool:
    """Return whether everybody may write to a file or a folder; a device and a socket are for all.

    The socket of a table's server asks who connects, and ``/dev/null`` is a table without rows.
    """
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
        return False
    sticky = stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX
    return bool(about.st_mode & stat.S_IWOTH and not sticky)


def _writable(path: str, *, folder: bool, file: str) -> Finding:
    why = "Any user of the machine can change whose mail goes where, and what smtpd runs."
    if folder:
        fault = f"everybody may put other files in the place of those in {path}"
        return error("folder-writable", (file, 0), fault, why, f"chmod o-w {path}")
    return error("file-writable", (path, 0), "everybody may write to it", why, f"chmod o-w {path}")


def readable(server: Server) -> Iterator[Finding]:
    """Yield the files of smtpd.conf with keys that everybody may read.

    Tables with passwords are looked at with the programs of tables.
    """
    configuration = server.configuration
    for setting, key in _KEYS.items():
        if configuration.settings.get(setting, "") in _NO_KEYS:
            continue
        for path in configuration.files:
            if _holds(configuration, path, setting) and _read_by_all(path):
                yield warning(
                    "secret-readable",
                    (path, 0),
                    f"everybody may read {key} in {path}",
                    "Any user of the machine can use it.",
                    f"chmod o-rwx {path}",
                )


def _holds(configuration: Configuration, path: str, setting: str) -> bool:
    return (
        configuration.settings[setting].encode(errors="surrogateescape")
        in (configuration.files[path])
    )


def _read_by_all(path: str) -> bool:
    about = _about(path)
    if about is None or not about.st_mode & stat.S_IROTH:
        return False
    ways = map(_about, denied.ways(os.path.dirname(os.path.realpath(path))))
    return all(each is not None and each.st_mode & stat.S_IXOTH for each in ways)


def _tables(server: Server) -> Iterator[str]:
    for definition in server.configuration.tables.values():
        behind = [line.path or "" for line in recorded.tables(definition)]
        for path in (definition.file or "", *behind):
            if path.startswith("/"):
                yield path


def _about(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
