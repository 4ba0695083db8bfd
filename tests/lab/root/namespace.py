"""The private network, and throw-away views of the cached roots.

Everything here runs inside ``unshare`` (see ``lab.__main__``): the host sees none of it, and all of
it is gone when the namespace's first process ends.
"""

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.peers.clients import CLIENTS
from lab.root.root import CACHE

UNSHARE = ("unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child",
           "--mount-proc")  # fmt: skip

SERVER4 = "192.168.0.1"
SERVER6 = "2001:db8::"
SOURCE4 = "192.168.1.1"
"""The address that the guide's mail leaves from (/etc/mail/hosts)."""
SECOND4 = "192.168.1.2"
"""Another one, for those who want two of IPv4."""
RELAY_CLIENT = "192.168.0.2"
"""A client that may relay (/etc/mail/relayaddr). Like STRANGER, it is there for a visit only."""
STRANGER = "198.51.100.7"
OUTSIDE_MX = "192.0.2.25"
"""A mail server of somebody else."""
OTHER_MXS = tuple((f"192.0.2.{n}", f"2001:db8::{n}") for n in range(30, 34))
"""Mail servers that can be reached in both ways."""
VIEWS = CACHE / "views"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def set_up() -> None:
    """Make the guide's network: loopback is named lo0, vio0 has the addresses of all parties.

    Addresses other than 127.0.0.1 must not stand on lo0, where ``listen on lo0`` would bind them
    a second time.
    """
    socket.sethostname("example.com")
    _ip("link", "set", "lo", "name", "lo0")
    _ip("link", "set", "lo0", "up")
    _ip("link", "add", "vio0", "type", "veth", "peer", "name", "peer0")
    _ip("link", "set", "vio0", "up")
    _ip("link", "set", "peer0", "up")
    clients = [client.address for client in CLIENTS]
    servers = [address for pair in OTHER_MXS for address in pair]
    for address in (SERVER4, SERVER6, SOURCE4, SECOND4, *clients, OUTSIDE_MX, *servers):
        # Duplicate address detection would take a second, in which nobody can bind it.
        form = (f"{address}/64", "nodad") if ":" in address else (f"{address}/24",)
        _ip("address", "add", *form, "dev", "vio0")
    VIEWS.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", VIEWS], check=True)


@contextmanager
def visit(address: str) -> Iterator[str]:
    """Be a client from elsewhere. smtpd takes for local what was there when it started."""
    form = f"{address}/128" if ":" in address else f"{address}/32"
    _ip("address", "add", form, "dev", "vio0", *(["nodad"] if ":" in address else []))
    try:
        yield address
    finally:
        _ip("address", "del", form, "dev", "vio0")


def view(root: Path, name: str, over: Sequence[Path] = ()) -> Path:
    """Return a writable view of ``root`` that takes nothing but what is written to it.

    ``over`` are what ``layer`` returned, each one over those behind it.

    Where the kernel has no overlayfs, it is a copy. Either lives on the namespace's own tmpfs.
    """
    base = VIEWS / name
    if base.exists():  # of another process in this namespace: ``make bench`` has one a subject
        base = VIEWS / f"{name}-{os.getpid()}"
    merged = base / "root"
    for folder in (base / "upper", base / "work", merged):
        folder.mkdir(parents=True)
    base.joinpath("upper").chmod(0o755)
    lower = ":".join(map(str, (*over, root)))
    layers = f"lowerdir={lower},upperdir={base}/upper,workdir={base}/work"
    mounted = subprocess.run(
        ["mount", "-t", "overlay", "-o", layers, "overlay", merged],
        stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if mounted.returncode:
        for each in (root, *reversed(over)):
            subprocess.run(["cp", "-aT", each, merged], check=True)
    subprocess.run(["mount", "--rbind", "/dev", merged / "dev"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", merged / "proc"], check=True)
    return merged


def layer(complete: Path) -> Path:
    """Take a view apart; return the folder of what was written to it, for other views."""
    subprocess.run(["umount", "--recursive", complete / "dev"], check=True)
    subprocess.run(["umount", complete / "proc"], check=True)
    if not os.path.ismount(complete):  # a copy, for want of overlayfs
        return complete
    subprocess.run(["umount", complete], check=True)
    return complete.with_name("upper")
