"""Find mail that has waited too long in smtpd's queue. Its files are root's to read.

Sources: ``queue_fs.c`` for the folders, ``envelope.c`` for the files. A queue that is compressed or
encrypted has envelopes that are no text: then the age of the message alone is known.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd_cli.commands.check.finding import NOWHERE, Finding, unseen, warning
from opensmtpd_cli.commands.check.server import Server

SPOOL = Path("/var/spool/smtpd")
HOURS = 4
"""Hours after which smtpd itself tells the sender that a message waits (config.c)."""
MESSAGES_MAX = 20_000
_ENVELOPE_MAX = 16 * 1024
_LISTED = 3
_TEXT_MAX = 120


def queue(server: Server) -> Iterator[Finding]:
    """Yield how much mail waits for more than four hours, and for what."""
    if not SPOOL.is_dir():
        return
    if not server.root:
        yield unseen(
            "queue-unseen", NOWHERE, "the queue of smtpd was not looked at", "", "run this as root"
        )
        return
    until = time.time() - HOURS * 3600
    waiting = list(_waiting(until))
    if waiting:
        reasons = Counter(filter(None, map(_reason, waiting))).most_common(_LISTED)
        said = "; ".join(f"{reason} ({count})" for reason, count in reasons)
        yield warning(
            "queue-stuck",
            NOWHERE,
            f"{len(waiting)} messages wait in the queue for more than {HOURS} hours",
            f"The servers or smtpd say: {said}." if said else "",
            "look at: smtpctl show queue",
        )
    left = sum(_older(entry, until) for entry in _entries(SPOOL / "offline"))
    if left:
        yield warning(
            "offline-stuck",
            NOWHERE,
            f"{left} messages that were written while smtpd was down still wait",
            "smtpd takes them when it starts.",
            f"start smtpd, or look at {SPOOL / 'offline'}",
        )


def _waiting(until: float) -> Iterator[Path]:
    """Yield the folders of messages that came before a time."""
    count = 0
    for bucket in _entries(SPOOL / "queue"):
        for message in _entries(Path(bucket.path)):
            count += 1
            if count > MESSAGES_MAX:
                return
            with suppress(OSError):
                if os.stat(os.path.join(message.path, "message")).st_mtime < until:
                    yield Path(message.path)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def _older(entry: os.DirEntry[str], until: float) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime < until
    except OSError:
        return False


def _reason(message: Path) -> str:
    """Return what was said at the last attempt for one of the envelopes; "" where that is unknown.

    The text comes from another server.
    """
    for entry in _entries(message):
        if entry.name == "message":
            continue
        with suppress(ConfigError), reading(entry.path) as file:  # the folder is not root's
            for line in file.read(_ENVELOPE_MAX).splitlines():
                if line.startswith(b"errorline: "):
                    text = line[11:].decode("ascii", "replace")[:_TEXT_MAX]
                    return "".join(char if char.isprintable() else "?" for char in text)
    return ""
