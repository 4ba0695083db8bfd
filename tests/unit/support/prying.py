"""A worker that tries what its sandbox should refuse, and the status of confined processes."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

from opensmtpd.needs import Needs
from opensmtpd.worker import Worker


def attempt(what: str, path: str) -> str:
    """Try something; return "done", or the name of its errno."""
    try:
        match what:
            case "read":
                Path(path).read_bytes()
            case "write":
                Path(path).write_text("x")
            case "socket":
                socket.socket().close()
            case "fork":
                if os.fork() == 0:
                    os._exit(0)
            case "exec":
                os.execv("/bin/true", ["true"])
            case "signal":
                os.kill(os.getppid(), 0)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


ATTEMPTS = ("read", "write", "socket", "fork", "exec", "signal")


class Prying(Worker):
    """Loads a file, and then tries what it is asked for."""

    title = "prying"
    needs = Needs()

    def load(self, setup: Any) -> Any:
        self.load_needs = Needs(reads=(setup,))
        return Path(setup).read_text()

    def handle(self, request: Any) -> Any:
        return attempt(*request) if isinstance(request, list) else os.getpid()


PRYING = f"{__name__}:Prying"


def status(pid: int) -> dict[str, str]:
    """Return fields of a process's status, for root."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {name: fields[name].strip() for name in ("NoNewPrivs", "Seccomp")}


CONFINED = {"NoNewPrivs": "1", "Seccomp": "2"}
"""The status of a process that has given up what it does not need."""
FREE = {"NoNewPrivs": "0", "Seccomp": "0"}
"""That of one that has given up nothing."""
