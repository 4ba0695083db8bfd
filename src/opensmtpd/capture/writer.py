"""The process that writes a capture: a disk that is full, slow or dead holds up nobody but it."""

import mmap
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from typing import NamedTuple, Protocol

from opensmtpd import log
from opensmtpd._title import set_title
from opensmtpd.capture.channel import ChannelReader
from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEntry,
    CaptureHeader,
    CaptureKind,
    CaptureLoss,
    Speaker,
)
from opensmtpd.capture.redaction.filter_redaction import FilterRedaction
from opensmtpd.capture.redaction.table_redaction import TableRedaction
from opensmtpd.needs import Needs

_READ = 1 << 18
_NICE = 5
"""On a machine with too much to do, mail comes first."""
_GATHER = 0.005
"""Seconds in which what is said may gather: to be woken for each piece costs more than to write it.

Meanwhile 16 MiB find room, so that no disk would take more.
"""
_LOCKED = 50
"""Times, a tenth of a second apart, that the writer of the last run has to end."""


class CaptureSettings(NamedTuple):
    """The parts of the talk that are recorded, and the place of the capture."""

    path: str
    size: int
    files: int
    bodies: bool = True
    addresses: bool = True


class Redaction(Protocol):
    """Takes out what must not be in a capture."""

    def feed(self, speaker: Speaker, data: bytes) -> list[tuple[bytes, bool]]:
        """Take bytes of one side; return runs of lines, and whether something is missing there."""

    def lost(self, speaker: Speaker) -> None:
        """Bytes of one side are missing here."""


def redaction(kind: CaptureKind, settings: CaptureSettings) -> Redaction:
    """Return what takes secrets out."""
    if kind is CaptureKind.TABLE:
        return TableRedaction(addresses=settings.addresses)
    return FilterRedaction(bodies=settings.bodies, addresses=settings.addresses)


class Writing:
    """Makes entries of frames, without secrets."""

    def __init__(
        self, channel: ChannelReader, redaction: Redaction, add: Callable[[CaptureEntry], object]
    ) -> None:
        self._channel = channel
        self._redaction = redaction
        self._add = add

    def feed(self, data: bytes) -> None:
        """Take bytes of the channel."""
        for speaker, entry in self._channel.feed(data):
            if isinstance(entry, CapturedLines):
                for lines, hidden in self._redaction.feed(entry.speaker, entry.data):
                    self._add(CapturedLines(entry.time, entry.speaker, lines, hidden))
                continue
            if isinstance(entry, CaptureLoss) and speaker is not None:
                self._redaction.lost(speaker)
            self._add(entry)


def start(
    link: socket,
    memory: mmap.mmap,
    header: CaptureHeader,
    settings: CaptureSettings,
    foreign: list[int],
) -> int:
    """Start the process; return its id. It has all descriptors but ``foreign``. Raises OSError."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _leave(foreign)
        set_title(f"{header.kind}-record: {settings.path}")
        _write(link, memory, header, settings)
        status = 0
    except BaseException as error:
        # Its text may quote what is being written.
        log.log("capture-failed", path=settings.path, reason=type(error).__name__)
    finally:
        os._exit(status)


def _leave(foreign: list[int]) -> None:
    """Let go of what smtpd and the program wait for the end of, and of all signals."""
    os.nice(_NICE)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in foreign:
        os.dup2(nothing, fd)
    os.close(nothing)


def _write(
    link: socket, memory: mmap.mmap, header: CaptureHeader, settings: CaptureSettings
) -> None:
    # Mail need not wait for these.
    from opensmtpd._runtime import sandbox  # noqa: PLC0415
    from opensmtpd.capture.file import CaptureFile  # noqa: PLC0415

    def lossy(error: OSError) -> None:
        log.log("capture-lost", path=settings.path, reason=error.strerror, remedy="see the disk")

    link.setblocking(True)
    for again in range(_LOCKED + 1):
        try:
            file = CaptureFile(
                settings.path, header, size=settings.size, files=settings.files, failed=lossy
            )
            break
        except BlockingIOError:
            if again == _LOCKED:
                log.log("capture-failed", path=settings.path, reason="another program writes to it")
                return
            time.sleep(0.1)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            log.log("capture-failed", path=settings.path, reason=reason, remedy=_REMEDY)
            return
    folder = os.path.dirname(os.path.abspath(settings.path))
    sandbox.confine(Needs(writes=(folder,), locks=True))
    writing = Writing(ChannelReader(link, memory), redaction(header.kind, settings), file.add)
    with suppress(ConnectionResetError):
        while data := link.recv(_READ):
            writing.feed(data)
            if not select.select([link], [], [], 0)[0]:
                file.write(time.time())
                time.sleep(_GATHER)
    file.close(time.time())


_REMEDY = "make its directory for the user of the program; mail goes on without a capture"
