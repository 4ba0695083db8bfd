"""Networks of nodes, which are cables away from a switch in the private network.

The databases and the clients are at the switch, with addresses of their own.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SWITCH = "10.77.0.1"
LISTED = "10.77.0.2"
"""A client at the switch whom a DNS list lists."""
DATABASES = "10.77.0.3"
NOBODY = "02:00:00:00:00:99"
"""An Ethernet address that nothing at the switch has."""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def switch() -> Iterator[None]:
    """Have a switch, which is SWITCH itself."""
    _ip("link", "add", "switch0", "type", "bridge")
    for one in (SWITCH, LISTED, DATABASES):
        _ip("address", "add", f"{one}/24", "dev", "switch0")
    _ip("link", "set", "switch0", "up")
    try:
        yield
    finally:
        _ip("link", "delete", "switch0")


@contextmanager
def network(number: int) -> Iterator[Sequence[str]]:
    """Have a network with an address; yields what goes before a command to run it there."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    within = ("nsenter", f"--net=/proc/{holder.pid}/ns/net", "--")
    near, far = f"node{number}", f"switch{number}"
    try:
        _ip("link", "add", far, "type", "veth", "peer", "name", near)
        _settled(holder.pid)
        _ip("link", "set", near, "netns", str(holder.pid))
        _ip("link", "set", far, "master", "switch0", "up")
        for command in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{address(number)}/24", "dev", near),
            ("link", "set", near, "up"),
        ):
            subprocess.run([*within, "ip", *command], check=True)
        yield within
    finally:
        holder.kill()
        holder.wait()


@contextmanager
def dropped(number: int, within: Sequence[str]) -> Iterator[None]:
    """Have all that a node sends to the databases go nowhere."""
    entry = ("ip", "neighbour", "replace", DATABASES, "dev", f"node{number}")
    subprocess.run([*within, *entry, "lladdr", NOBODY, "nud", "permanent"], check=True)
    try:
        yield
    finally:
        subprocess.run([*within, *entry, "lladdr", NOBODY, "nud", "stale"], check=True)
        subprocess.run([*within, "ip", "neighbour", "flush", "dev", f"node{number}"], check=True)


def address(number: int) -> str:
    """Return the address of a node."""
    return f"10.77.0.{10 + number}"


def _settled(pid: int) -> None:
    """Wait until a process has left our network."""
    ours = Path("/proc/self/ns/net").readlink()
    while Path(f"/proc/{pid}/ns/net").readlink() == ours:
        pass
