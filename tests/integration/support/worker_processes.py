"""The processes behind a filter: who they are, and what their memory holds."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PATIENCE = 30.0


class Process(NamedTuple):
    """A process that descends from the filter."""

    pid: int
    title: str
    """As ps(1) shows it."""

    @property
    def is_stem(self) -> bool:
        """Return whether it is one that workers are forked from."""
        return self.title.endswith(" (stem)")


def behind(pid: int) -> list[Process]:
    """Return the processes that descend from ``pid``, in the order of their ids."""
    parents = dict(filter(None, map(_parent, Path("/proc").iterdir())))
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return [Process(each, _title(each)) for each in sorted(found - {pid})]


def whole(pid: int, workers: int) -> list[Process]:
    """Wait until two stems and so many workers are behind ``pid``, all named; return them."""
    end = time.monotonic() + PATIENCE
    while True:
        found = behind(pid)
        stems = sum(each.is_stem for each in found)
        named = all(": " in each.title for each in found)
        if named and (stems, len(found) - stems) == (2, workers):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Return whether a process has ended, and been waited for."""
    return not Path(f"/proc/{pid}").exists()


def _parent(entry: Path) -> tuple[int, int] | None:
    if not entry.name.isdigit():
        return None
    try:
        fields = (entry / "stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:  # it has ended
        return None
    return (int(entry.name), int(fields[1])) if fields[0] != b"Z" else None


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode("utf-8", "replace")
    except OSError:
        return ""


def held(pid: int, secrets: dict[str, bytes]) -> set[str]:
    """Return the names of the secrets that stand in the memory of a process."""
    return {name for block in _memory(pid) for name, secret in secrets.items() if secret in block}


def _memory(pid: int) -> Iterable[bytes]:
    regions = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for region in regions:
            span, mode, *_ = region.split()
            first, last = (int(each, 16) for each in span.split("-"))
            if not mode.startswith("r"):
                continue
            try:
                memory.seek(first)
                yield memory.read(last - first)
            except (OSError, OverflowError, ValueError):  # vvar and vsyscall
                continue
