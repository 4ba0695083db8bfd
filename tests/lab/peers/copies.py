"""The folder of filter-archive, as one looks into it who knows nothing of the filter's code."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HEAD = re.compile(
    rb"X-Archive-Status: (?P<status>accepted|doubtful)\n"
    rb"X-Archive-Id: (?P<ident>\S+)\n"
    rb"X-Envelope-From: <(?P<sender>.*)>\n"
    rb"(?P<recipients>(?:X-Envelope-To: <.*>\n)*)"
)
NAME = re.compile(r"\d+\.M(?P<ident>(?P<msgid>[0-9a-f]{8})N\d+\.[0-9a-f]{12})")


class Copy(NamedTuple):
    """A copy that was kept."""

    path: Path
    msgid: str
    """smtpd's, in the name of the file."""
    status: str
    """``accepted`` or ``doubtful``."""
    sender: bytes
    recipients: list[bytes]
    message: bytes
    """All behind the fields of the archive."""


def read(path: Path) -> Copy:
    """Return a copy. Raises ValueError for a file that is none."""
    content = path.read_bytes()
    head, name = HEAD.match(content), NAME.fullmatch(path.name)
    if head is None or name is None or head["ident"].decode() != name["ident"]:
        raise ValueError(f"{path}: {content[:500]!r}")
    return Copy(
        path,
        name["msgid"],
        head["status"].decode(),
        head["sender"],
        re.findall(rb"<(.*)>\n", head["recipients"]),
        content[head.end() :],
    )


class Copies:
    """The folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self, part: str) -> list[str]:
        """Return the names of the files in ``tmp``, ``new`` or ``cur``, without locks."""
        found = sorted(each.name for each in (self.path / part).iterdir())
        return [name for name in found if name[0] != "."]

    def all(self) -> list[Copy]:
        """Return the copies in ``new``, the oldest first."""
        return [read(self.path / "new" / name) for name in self.names("new")]

    def settled(self) -> list[Copy]:
        """Wait until nothing is left in ``tmp``; return the copies. Raises TimeoutError."""
        until(lambda: not self.names("tmp"))
        return self.all()

    def take(self, count: int = 1) -> list[Copy]:
        """Wait for so many copies, take them out and return them. Raises TimeoutError."""
        until(lambda: len(self.names("new")) >= count)
        found = self.settled()
        for each in found:
            each.path.unlink()
        return found

    def one(self) -> Copy:
        """Wait for the one copy that there is, take it out and return it. Raises TimeoutError."""
        (found,) = self.take()
        return found


def until(good: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is so. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not good():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.02)
