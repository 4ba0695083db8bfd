"""The configuration as smtpd itself judges it: ``smtpd -n``."""

import os
import re
import subprocess
from collections.abc import Collection, Iterable, Iterator

from opensmtpd.errors import nearest
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.smtpdconf.configuration import Configuration

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_WITHIN = 60.0
"""Seconds: smtpd looks up the names of hosts in ``listen on``."""
_LINES_MAX = 100
_PLACED = re.compile(r"(?P<path>/[^:]*):(?P<line>[0-9]{1,9}): (?P<text>.+)")
_BACKEND = re.compile(r'backend "([A-Za-z0-9_-]+)" does not exist')
_STOPS = "smtpd would not start."


def complaints(path: str, smtpd: str) -> Iterator[Finding]:
    """Yield what the program at ``smtpd`` says against the configuration at ``path``.

    Without root, smtpd may be unable to read files that it can read as a server.
    """
    try:
        ended = subprocess.run(
            [smtpd, "-n", "-f", path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_ENVIRONMENT,
            timeout=_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield finding.unseen("conf-not-judged", (path, 0), f"smtpd -n did not judge it: {error}")
        return
    if ended.returncode == 0:
        return
    said = ended.stderr.decode("utf-8", "replace").splitlines()[:_LINES_MAX]
    make = finding.error if os.geteuid() == 0 else _not_as_root
    placed = [found for found in map(_PLACED.fullmatch, said) if found]
    for found in placed:
        yield make("conf-syntax", (found["path"], int(found["line"])), found["text"], _STOPS)
    if not placed:
        last = said[-1] if said else f"smtpd -n ended with status {ended.returncode}"
        yield make("conf-refused", (path, 0), last.removeprefix("smtpd: "), _STOPS)


def _not_as_root(code: str, place: tuple[str, int], fault: str, why: str) -> Finding:
    if "syntax error" in fault:
        return finding.error(code, place, fault, why)
    return finding.unseen(code, place, fault, "Only root can read all files.", "run this as root")


def explained(complaints: Iterable[Finding], configuration: Configuration) -> Iterator[Finding]:
    """Yield complaints with what to do about them, where the rest of the configuration says it.

    Left out are those of the program of a table that is not there: a checker says more of it.
    """
    for each in complaints:
        backend = _BACKEND.search(each.fault)
        targets = [table.target or "" for table in configuration.tables.values()]
        if not backend or not any(target.startswith(f"{backend[1]}:") for target in targets):
            yield each._replace(remedy=each.remedy or _remedy(each.fault, configuration))


def _remedy(fault: str, configuration: Configuration) -> str:
    start, _, name = fault.rpartition(": ")
    known: dict[str, Collection[str]] = {
        "no filter exist with that name": configuration.filters,
        "no processor exist with that name": configuration.procs,
        "no such dispatcher": configuration.actions,
        "no such table": configuration.tables,
    }
    if start not in known:
        return ""
    if name in known[start]:
        return "put its definition above this line"
    near = nearest(name, known[start])
    return f"did you mean {near}?" if near else f"define {name} above this line"
