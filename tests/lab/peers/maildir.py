"""Wait for what smtpd delivers."""

import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Delivered:
    """One delivered message."""

    folder: str
    """"inbox" or ".Junk"."""
    content: bytes
    """The file as it is, with LF line ends."""

    @property
    def agent_lines(self) -> list[bytes]:
        """The lines that mail.maildir put in front."""
        return self.content.split(b"\n", 2)[:2]

    @property
    def message(self) -> bytes:
        """What smtpd handed to mail.maildir."""
        return self.content.split(b"\n", 2)[2]


class Maildir:
    """A user's Maildir in a view; messages are taken out of it."""

    def __init__(self, path: Path):
        self.path = path

    def _waiting(self) -> list[tuple[str, Path]]:
        folders = (("inbox", self.path / "new"), (".Junk", self.path / ".Junk" / "new"))
        return [
            (name, file)
            for name, folder in folders
            if folder.is_dir()
            for file in sorted(folder.iterdir())
        ]

    def take(self, count: int, seconds: float = 30.0) -> list[Delivered]:
        """Wait until ``count`` messages have come and return them; TimeoutError if they do not."""
        end = time.monotonic() + seconds
        taken: list[Delivered] = []
        while True:
            for name, file in self._waiting():
                taken.append(Delivered(name, file.read_bytes()))
                file.unlink()
            if len(taken) >= count:
                return taken
            if time.monotonic() > end:
                raise TimeoutError(f"{len(taken)} of {count} messages came within {seconds} s")
            time.sleep(0.02)

    def rest(self) -> list[bytes]:
        """Take what nobody has waited for."""
        return [delivered.content for delivered in self.take(0)]

    def one(self, seconds: float = 30.0) -> Delivered:
        """Wait for one message and return it; TimeoutError if none comes."""
        return self.take(1, seconds)[0]
