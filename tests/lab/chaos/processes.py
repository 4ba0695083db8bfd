"""Our processes behind a server: the fronts that smtpd talks to, and what stands behind each."""

import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lab.root.server import Server

TITLE = re.compile(r"((?:filter|table)-[\w-]+: .+)")
"""What a process behind a front is called: ``filter-dkimsign: keys``."""


class Process(NamedTuple):
    """One of ours."""

    pid: int
    kind: str
    """``filter-dkimsign`` of a front, ``filter-dkimsign: keys`` of a worker."""


def fronts(server: Server) -> list[Process]:
    """Return the processes that smtpd talks to."""
    return [Process(pid, _front_name(pid)) for pid in server.plugins() if not _titled(pid)]


def workers(server: Server) -> list[Process]:
    """Return the processes behind the fronts: their descendants, and what is named like one.

    A descendant whose parent has ended is nobody's: it is known by its name.
    """
    parents = {pid: _parent(pid) for pid in _pids()}
    ours = {process.pid: process.kind for process in fronts(server)}
    found = []
    for pid in sorted(parents):
        if pid in ours:
            continue
        front = next((one for one in _ancestors(pid, parents) if one in ours), None)
        title = _titled(pid)
        if title or front is not None:
            found.append(Process(pid, title or f"{ours[front or 0]}: (no name)"))
    return found


def tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    parents = {each: _parent(each) for each in _pids()}
    return [pid, *(each for each in parents if pid in _ancestors(each, parents))]


def one_of_each(processes: list[Process]) -> list[Process]:
    """Return one process of each kind, but no stem that is the last one of its front."""
    spared = [process for process in processes if not is_last_stem(process)]
    return list({process.kind: process for process in spared}.values())


def is_last_stem(process: Process) -> bool:
    """Return whether no worker of a front could be replaced without this one.

    Then smtpd has to be started anew: a front starts no program.
    """
    front = _parent(process.pid)
    stems = [pid for pid in _pids() if _titled(pid) == process.kind and _parent(pid) == front]
    return process.kind.endswith("(stem)") and len(stems) < 2


def send(processes: list[Process], number: signal.Signals) -> int:
    """Send a signal to each process that still is there; return how many got it."""
    count = 0
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
            count += 1
    return count


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _words(pid: int) -> list[str]:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return []
    return command.decode(errors="replace").rstrip("\0").split("\0")


def _titled(pid: int) -> str | None:
    found = TITLE.fullmatch(" ".join(_words(pid)).strip())
    return found[1] if found else None


def _front_name(pid: int) -> str:
    names = [word.rpartition("/")[2] for word in _words(pid)]
    return next((name for name in names if name.startswith(("filter-", "table-"))), "?")


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _ancestors(pid: int, parents: dict[int, int]) -> list[int]:
    found = []
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.append(pid)
    return found
