"""Programs of ours from a copy of their packages, and a record of what they load when they serve.

As a script: ``audited.py REPORT MODULE [ARGUMENT ...]`` runs the module, and writes to the file
REPORT what it loads, opens or starts after it has answered ``register|ready``.
"""

import json
import os
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

from unit.support import child

ROOT = Path(__file__).parents[3]
TREES = ("src/opensmtpd", "filters/opensmtpd_filters", "tables/opensmtpd_tables")
READY = b"register|ready\n"
TASKS = "/proc/self/task"
LATE = frozenset(
    ["import", "ctypes.dlopen", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen"]
)


def copy(folder: Path) -> Path:
    """Copy our packages into a folder; return where they lie."""
    for tree in TREES:
        shutil.copytree(ROOT / tree, folder / "packages" / Path(tree).name)
    return folder / "packages"


class Program(child.Child):
    """A program of ours as smtpd's child, on a copy of the packages that can be taken away."""

    def __init__(self, folder: Path, module: str, *argv: str) -> None:
        self.packages = copy(folder)
        self.report = folder / "report"
        command = [sys.executable, __file__, str(self.report), module, *argv]
        self._begin(command, PYTHONPATH=f"{self.packages}:{ROOT / 'tests'}")

    def remove_packages(self) -> None:
        """Remove what the program was started from, as an upgrade does."""
        shutil.rmtree(self.packages)

    def late(self) -> list[list[str]]:
        """Return what was loaded, opened or started since it was ready; the threads come first."""
        return [json.loads(line) for line in self.report.read_text().splitlines()]


def _run(report: str, module: str) -> None:
    record = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    write, ready = os.write, False
    # Opened now: a program that is confined cannot do it.
    tasks = os.open(TASKS, os.O_RDONLY) if os.path.exists(TASKS) else -1

    def note(*what: str) -> None:
        write(record, json.dumps(what).encode() + b"\n")

    def watched(fd: int, data: Any) -> int:
        nonlocal ready
        if READY in bytes(data) and not ready:
            ready = True
            note("threads", str(len(os.listdir(tasks)) if tasks >= 0 else 2))
        return write(fd, data)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if ready and event in LATE:
            note(event, str(arguments[0]))

    os.write = watched
    sys.addaudithook(heard)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    del sys.argv[0]
    _run(sys.argv.pop(0), sys.argv[0])
