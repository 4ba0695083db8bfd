"""Run a program with its recorder between smtpd and itself: the recorder's own process.

It passes bytes on (``pump``), and hands a copy to the process that writes (``writer``). It ends
when the program does, with its status; smtpd stops when one of its programs ends, so that nothing
else ends it.
"""

import mmap
import os
import signal
import socket
import time
from contextlib import suppress
from typing import NoReturn

from opensmtpd import log
from opensmtpd._runtime import signals
from opensmtpd.capture import writer
from opensmtpd.capture.channel import SLOT, SLOTS, CaptureChannel
from opensmtpd.capture.format import CaptureHeader, CaptureKind
from opensmtpd.capture.pump import Pump
from opensmtpd.capture.writer import CaptureSettings
from opensmtpd.errors import ConfigError


def record(kind: CaptureKind, command: list[str], settings: CaptureSettings) -> NoReturn:
    """Run ``command``, the path of a program and its arguments, and record it.

    It gets a socket as its standard input and output, and our standard error. Raises ConfigError
    where it cannot be started.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    signals.outlive(0)
    signal.signal(signal.SIGALRM, _nothing)  # there is no watchdog
    ours, theirs = socket.socketpair()
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    os.set_blocking(wake_reader, False)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    with theirs:
        program = _start(command, theirs.fileno())
    signal.signal(signal.SIGHUP, lambda *_: _pass_on(program))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
    header = CaptureHeader(kind, os.path.basename(command[0]), time.time())
    pump = Pump(0, 1, ours.fileno(), _channel(header, settings, [0, 1, ours.fileno()]))
    status = None
    while status is None:
        pump.wait(wake_reader)
        with suppress(BlockingIOError):
            os.read(wake_reader, 4096)
        status = _ended(program)
    signal.signal(signal.SIGHUP, _nothing)  # its number may soon be that of another program
    pump.finish(os.waitstatus_to_exitcode(status))
    _end_as(status)


def _start(command: list[str], end: int) -> int:
    """Start the program; return its id. Raises ConfigError."""
    try:
        return os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, end, 0), (os.POSIX_SPAWN_DUP2, end, 1)],
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
            setsigmask=[],
        )
    except OSError as error:
        fault = f"it cannot be started: {error.strerror}"
        raise ConfigError(fault, path=command[0]) from None


def _channel(
    header: CaptureHeader, settings: CaptureSettings, foreign: list[int]
) -> CaptureChannel:
    """Return a channel to a new writer; where there is none, its other end is closed."""
    ours, theirs = socket.socketpair()
    memory = mmap.mmap(-1, SLOT * SLOTS)
    channel = CaptureChannel(ours, memory)
    with theirs:
        try:
            writer.start(theirs, memory, header, settings, [*foreign, ours.fileno()])
        except OSError as error:
            log.log("capture-failed", path=settings.path, reason=error.strerror)
            channel.close()
    return channel


def _ended(program: int) -> int | None:
    """Return how the program ended, None while it runs; take note of the writer's end."""
    found = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == program:
                found = ended[1]
            elif os.WIFSIGNALED(ended[1]):
                log.log("capture-failed", reason="the process that writes it was killed")
    return found


def _pass_on(program: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(program, signal.SIGHUP)


def _end_as(status: int) -> NoReturn:
    """End as the program did: by the same signal, or with the same status."""
    if os.WIFSIGNALED(status):
        import resource  # noqa: PLC0415  for this only

        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError, ValueError):  # of SIGKILL the action is as it is
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _nothing(_signal: int, _frame: object) -> None:
    pass
