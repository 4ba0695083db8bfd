"""What the kernel takes away: disk, descriptors, memory."""

import os
import smtplib
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.chaos import load
from lab.chaos.faults import Strikes, fault
from lab.chaos.faults.signals import all_of_ours
from lab.chaos.load import SENDER
from lab.chaos.stand import SPOOL, Stand, room
from lab.peers.clients import CONFIRMED_PTR
from lab.root.namespace import SERVER4

MIB = 1 << 20
LARGE = 6 * MIB
"""Bytes of a message that no filter keeps in memory."""


@fault("the spool's disk is full", pause=0.5)
def fill_disk(stand: Stand) -> Strikes:
    """Take all room but some, while messages come that are too large for memory."""
    ballast = stand.view / SPOOL / "ballast"
    sessions: list[socket.socket] = []
    try:
        while True:
            ballast.write_bytes(bytes(max(room(stand) - stand.dice.choice((0, MIB)), 0)))
            sessions = [open_data() for _ in range(4)]
            block = (b"x" * 998 + b"\r\n") * (LARGE // 1000)
            for session in sessions:
                with suppress(OSError):
                    session.sendall(block)
            yield 1
            with suppress(OSError, smtplib.SMTPException), load.connect(CONFIRMED_PTR) as client:
                load.send(stand, client, LARGE, stand.dice, SENDER)
            yield 1
            for session in sessions:
                session.close()
            ballast.unlink()
            yield 0
    finally:
        for session in sessions:
            session.close()
        ballast.unlink(missing_ok=True)


def open_data() -> socket.socket:
    """Return a session in the middle of a message. Its caller closes it."""
    client = socket.create_connection((SERVER4, 25), 30, source_address=(CONFIRMED_PTR, 0))
    with suppress(OSError):
        client.recv(4096)
        for command in ("EHLO x.example", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{SENDER}>", "DATA"):
            client.sendall(f"{command}\r\n".encode())
            client.recv(4096)
        client.sendall(b"From: alice@example.com\r\nSubject: never whole\r\n\r\n")
    return client


@fault("no descriptor is left", pause=1.0)
def no_descriptors(stand: Stand) -> Strikes:
    """Let nobody open anything."""
    return limited(stand, "nofile", lambda pid: 0)


@fault("no memory is left", pause=1.0)
def no_memory(stand: Stand) -> Strikes:
    """Let nobody have more memory than now, or but a little more."""
    return limited(stand, "as", lambda pid: size_of(pid) + stand.dice.choice((0, MIB // 4, MIB)))


def limited(stand: Stand, limit: str, value: Callable[[int], int]) -> Strikes:
    """Set a soft limit of all our processes, and lift it, in turn."""
    try:
        while True:
            count = 0
            for process in all_of_ours(stand):
                with suppress(OSError):
                    count += set_limit(process.pid, limit, str(value(process.pid)))
            assert count, f"no limit of {limit} could be set"
            yield count
            lift(stand, limit)
            yield 0
    finally:
        lift(stand, limit)


def lift(stand: Stand, limit: str) -> None:
    """Let our processes have what their hard limits allow."""
    for process in all_of_ours(stand):
        with suppress(OSError):
            set_limit(process.pid, limit, hard_limit(process.pid, limit))


def set_limit(pid: int, limit: str, soft: str) -> bool:
    """Set a limit as the user of the process: root may lack the capability in a container.

    Returns whether that worked. Raises OSError for a process that has ended.
    """
    user, group = owner(pid)
    command = ["prlimit", f"--pid={pid}", f"--{limit}={soft}:"]
    done = subprocess.run(
        command, user=user, group=group, extra_groups=[], capture_output=True, check=False
    )
    return done.returncode == 0


def owner(pid: int) -> tuple[int, int]:
    """Return the user and the group of a process. Raises OSError.

    The owner of its files in /proc is root where it cannot be dumped.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    ids = {line.split()[0]: int(line.split()[1]) for line in lines if line[1:4] == "id:"}
    return ids["Uid:"], ids["Gid:"]


def hard_limit(pid: int, limit: str) -> str:
    """Return the hard limit of a process. Raises OSError."""
    title = {"nofile": "Max open files", "as": "Max address space"}[limit]
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[-2] for line in lines if line.startswith(title))


def size_of(pid: int) -> int:
    """Return the bytes of a process's address space."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
