"""Take messages out of a Maildir, and verify the signature of each: a process of its own.

``python -m lab.chaos.judge MAILDIR KEYS`` prints a line of JSON for each message: its number, and
what is wrong with it. KEYS is a file with a public key a line: each may have signed. It ends when
its input ends and no message is left.
"""

import json
import re
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from lab.chaos.ledger import FIELD, Ledger
from lab.peers.second_verifier import flaw

AGENT_LINES = 2
"""Lines that mail.maildir puts in front."""
NUMBER = re.compile(rb"^" + FIELD + rb": (\d+)$", re.MULTILINE)


def verdict(content: bytes, keys: list[bytes]) -> tuple[int, str | None]:
    """Return the number of a delivered message, and what is wrong with its signature."""
    message = content.split(b"\n", AGENT_LINES)[AGENT_LINES]
    header = message.partition(b"\n\n")[0]
    found = NUMBER.search(header)
    number = int(found[1]) if found else -1
    if b"dkim-signature:" not in header.lower():
        return number, "there is no signature"
    try:
        flaws = [flaw(message, lambda _, key=key: key) for key in keys]  # type: ignore[misc]
    except Exception as error:  # whatever was delivered, the others are to be judged, too
        return number, type(error).__name__
    return number, None if None in flaws else (flaws[-1] or "")[:200]


def main(maildir: str, keys: str) -> None:
    """Judge until the input ends."""
    folders = [Path(maildir, "new"), Path(maildir, ".Junk", "new")]
    ended = False
    while True:
        files = [file for folder in folders if folder.is_dir() for file in folder.iterdir()]
        published = Path(keys).read_bytes().splitlines()
        for file in files:
            print(json.dumps(verdict(file.read_bytes(), published)), flush=True)
            file.unlink()
        if ended and not files:
            return
        ended = ended or bool(select.select([sys.stdin], [], [], 0.1)[0])


class Judge:
    """``with Judge(maildir, ledger) as judge:`` tells the ledger what is delivered."""

    def __init__(self, maildir: Path, keys: Path, ledger: Ledger) -> None:
        self._command = [sys.executable, "-m", "lab.chaos.judge", str(maildir), str(keys)]
        self._ledger = ledger
        self._process: subprocess.Popen[bytes]
        self._thread: threading.Thread

    def __enter__(self) -> "Judge":
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._thread = threading.Thread(target=self._listen, args=[self._process.stdout])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._thread.join()
        self._process.wait()

    def _listen(self, said: IO[bytes]) -> None:
        for line in said:
            self._ledger.delivered(*json.loads(line))


if __name__ == "__main__":
    main(*sys.argv[1:])
