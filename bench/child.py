"""Starts a plugin as smtpd does, on a socket pair, and reads what its processes cost.

CPU and memory are those of all processes of a plugin together.
"""

import os
import resource
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

HELLO = (
    b"config|smtpd-version|7.6.0\nconfig|protocol|0.7\nconfig|smtp-session-timeout|300\n"
    b"config|subsystem|smtp-in\nconfig|admd|bench\nconfig|ready\n"
)
TABLE_HELLO = (
    b"config|smtpd-version|7.6.0\nconfig|protocol|0.1\nconfig|tablename|bench\nconfig|ready\n"
)


def behind(pid: int) -> list[int]:
    """Return the ids of the processes that descend from a plugin's."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended
                stat = (entry / "stat").read_bytes().rpartition(b") ")[2]
                parents[int(entry.name)] = int(stat.split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {pid})


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that the threads of a process have had, 0 for one that has ended."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except OSError:
        return 0.0


def times(pid: int) -> tuple[float, float]:
    """Return the CPU seconds that a process has had in itself, and those of the kernel for it.

    The kernel divides what it counts exactly by what it saw at each tick.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:  # it has ended
        return 0.0, 0.0
    own, kernel = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13])
    return own, kernel


def pss_kib(pid: int) -> int:
    """Return the memory of a process, where what several share counts for each in part."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0
    return int(text.partition("\nPss:")[2].split()[0])


class Child:
    """A plugin whose standard input and output are one socket pair, as under smtpd."""

    def __init__(
        self, command: list[str], hello: bytes = HELLO, errors: int = subprocess.DEVNULL
    ) -> None:
        """``errors`` is the descriptor of standard error."""
        ours, theirs = socket.socketpair()
        self.started = time.perf_counter()
        # smtpd starts its plugins with next to no environment; ours would switch off .pyc files.
        self.process = subprocess.Popen(
            command,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=errors,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
        theirs.close()
        self.socket = ours
        ours.sendall(hello)
        answer = b""
        while not answer.endswith(b"register|ready\n"):
            data = ours.recv(65536)
            if not data:
                raise SystemExit(f"{command[0]}: ended in the handshake")
            answer += data
        self.ready_seconds = time.perf_counter() - self.started
        self._start_cpu = cpu_seconds(self.process.pid)
        self._start_cpu_behind = sum(map(cpu_seconds, behind(self.process.pid)))
        self.registered = set(answer.decode().split())
        ours.setblocking(False)

    def report(self, event: str) -> bool:
        """Did it register for a report?"""
        return f"register|report|smtp-in|{event}" in self.registered

    def asks(self, phase: str) -> bool:
        """Did it register for a phase?"""
        return f"register|filter|smtp-in|{phase}" in self.registered

    def close(self) -> tuple[float, int]:
        """End it as smtpd does; return its CPU seconds since ready and its memory in KiB.

        That is the most which it ever had, and the share (PSS) of the processes behind it.
        """
        # Not ru_maxrss: that begins with what the parent had when it forked.
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0])
        others = behind(self.process.pid)
        peak += sum(map(pss_kib, others))
        cpu_behind = sum(map(cpu_seconds, others)) - self._start_cpu_behind
        self.socket.close()
        _, _, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = 0
        return usage.ru_utime + usage.ru_stime - self._start_cpu + cpu_behind, peak


def nofile() -> None:
    """Allow as many descriptors as may be: the originals open a file for each message."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
