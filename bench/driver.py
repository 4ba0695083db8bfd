"""Plays smtpd to a plugin over a socket pair: rate, CPU, memory, latency.

CPU and memory are those of all processes of a plugin together.
"""

import os
import resource
import select
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STAMP = b"1795335705.127288"
DATA, COMMIT, CONNECT = b"1f083015d732b8dd", b"1f08301bf13c4c1f", b"1f08300d56622f13"

HELLO = (
    b"config|smtpd-version|7.6.0\nconfig|protocol|0.7\nconfig|smtp-session-timeout|300\n"
    b"config|subsystem|smtp-in\nconfig|admd|bench\nconfig|ready\n"
)
TABLE_HELLO = (
    b"config|smtpd-version|7.6.0\nconfig|protocol|0.1\nconfig|tablename|bench\nconfig|ready\n"
)

_DOT = b"|%s|.\n" % DATA  # the end of a message's last line; its session stands before it
_RESULT = b"filter-result|"


@dataclass(frozen=True)
class Run:
    """The cost of one run."""

    messages: int
    seconds: float
    cpu_seconds: float
    peak_kib: int
    received: int

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for a message."""
        return self.cpu_seconds / self.messages * 1e6


def message(size: int) -> bytes:
    """A plausible message of about ``size`` bytes: what smtpd puts in front, header, text."""
    head = [
        b"Received: from mail.example.net (mail.example.net [192.0.2.7])",
        b"\tby example.com (OpenSMTPD) with ESMTPSA id 018a64ac (TLSv1.3:TLS_AES_256_GCM_SHA384)",
        b"\tfor <bob@example.org>;",
        b"\tSun, 22 Nov 2026 08:21:45 +0000 (UTC)",
        b"From: Alice Example <alice@example.com>",
        b"To: Bob Example <bob@example.org>",
        b"Subject: Minutes of the meeting and what to do next",
        b"Date: Sun, 22 Nov 2026 08:21:44 +0000",
        b"Message-ID: <20261122082144.018a64ac@example.com>",
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
        b"",
    ]
    text = b"The quick brown fox jumps over the lazy dog, and then it goes home to sleep a bit %04d"
    lines, length = head, sum(map(len, head)) + len(head)
    while length < size:
        lines.append(text % (len(lines) % 10000) if len(lines) % 11 else b"")
        length += len(lines[-1]) + 1
    return b"\n".join(lines) + b"\n"


def wire(text: bytes, session: bytes) -> bytes:
    """The data-lines of a message, up to the final dot, as smtpd sends them."""
    prefix = b"filter|0.7|%s|smtp-in|data-line|%s|%s|" % (STAMP, session, DATA)
    return b"".join(prefix + line + b"\n" for line in [*text.splitlines(), b"."])


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


def pss_kib(pid: int) -> int:
    """Return the memory of a process, where what several share counts for each in part."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0
    return int(text.partition("\nPss:")[2].split()[0])


class Child:
    """A plugin whose standard input and output are one socket pair, as under smtpd."""

    def __init__(self, command: list[str], hello: bytes = HELLO) -> None:
        ours, theirs = socket.socketpair()
        self.started = time.perf_counter()
        # smtpd starts its plugins with next to no environment; ours would switch off .pyc files.
        self.process = subprocess.Popen(
            command,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
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


class Load:
    """``total`` messages of one size, ``window`` sessions at a time, each session one message."""

    def __init__(self, child: Child, text: bytes, total: int, window: int) -> None:
        self.child, self.total, self.window = child, total, window
        blank = b"S" * 16
        self.template = wire(text, blank).split(blank)
        self.begun = self.ended = self.received = 0
        self.out = bytearray()

    def _report(self, event: str, session: bytes, *fields: bytes) -> None:
        if self.child.report(event):
            line = b"|".join((event.encode(), session, *fields))
            self.out += b"report|0.7|%s|smtp-in|%s\n" % (STAMP, line)

    def _begin(self) -> None:
        session = b"%016x" % (0x1718C5E500000000 + self.begun)
        self.begun += 1
        self._report("link-connect", session, b"localhost|pass|127.0.0.1:33891|127.0.0.1:25")
        self._report("tx-begin", session, b"018a64ac")
        self.out += session.join(self.template)

    def _commit(self, session: bytes) -> None:
        if self.child.asks("commit"):
            self.out += b"filter|0.7|%s|smtp-in|commit|%s|%s|\n" % (STAMP, session, COMMIT)
        else:
            self._end(session)

    def _end(self, session: bytes) -> None:
        self._report("tx-commit", session, b"018a64ac|2000")
        self._report("tx-reset", session, b"018a64ac")
        self._report("link-disconnect", session)
        self.ended += 1
        if self.begun < self.total:
            self._begin()

    def run(self) -> Run:
        """Drive it to the end."""
        started = time.perf_counter()
        for _ in range(min(self.window, self.total)):
            self._begin()
        link, tail = self.child.socket, b""
        while self.ended < self.total:
            readable, writable, _ = select.select([link], [link] if self.out else [], [], 60)
            if not readable and not writable:
                raise SystemExit("the filter hangs")
            if writable:
                del self.out[: link.send(memoryview(self.out)[: 1 << 20])]
            if readable:
                tail = self._take(link.recv(1 << 20), tail)
        seconds = time.perf_counter() - started
        cpu, peak = self.child.close()
        return Run(self.total, seconds, cpu, peak, self.received)

    def _take(self, data: bytes, tail: bytes) -> bytes:
        """Look for final dots and results, and for nothing else: the driver must cost little."""
        if not data:
            raise SystemExit("the filter ended")
        self.received += len(data)
        data = tail + data
        cut = data.rfind(b"\n") + 1
        at = data.find(_DOT, 0, cut)
        while at >= 0:
            self._commit(data[at - 16 : at])
            at = data.find(_DOT, at + 1, cut)
        at = data.find(_RESULT, 0, cut)
        while at >= 0:
            session, _, decision = data[at + len(_RESULT) : data.index(b"\n", at)].split(b"|", 2)
            if decision != b"proceed":
                raise SystemExit(f"the filter answered {decision!r}")
            self._end(session)
            at = data.find(_RESULT, at + 1, cut)
        return data[cut:]


def measure(command: list[str], size: int, total: int, window: int) -> Run:
    """Run ``command`` on ``total`` messages of ``size`` bytes, ``window`` at a time."""
    child = Child(command)
    return Load(child, message(size), total, window).run()


def nofile() -> None:
    """Allow as many descriptors as may be: the originals open a file for each message."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
