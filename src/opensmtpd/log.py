"""The one logging form: ``SESSION event key=value …`` on stderr, a line at a time.

smtpd puts the filter's name in front and writes it to its own log, where the session id comes
first too. Values never break the line: characters that are not printable are escaped. Nothing here
waits: a line that the other side does not take at once is counted, and the next one that goes out
says so. While smtpd is served, clients cannot fill the disk with lines: see ``limit``.
"""

import contextlib
import os
import select
import sys
from collections.abc import Callable
from functools import partial

__all__ = ["log"]

_STDERR = 2
_LINE_MAX = 1000
_lost = 0

LINES_MAX = 100
"""Lines in a second, at most, while there is a limit."""

_SYSLOG = "/dev/log"
_MAIL_NOTICE = 2 << 3 | 5
"""LOG_MAIL and LOG_NOTICE as ``syslog.h`` numbers them."""
_send: Callable[[str], object] | None = None


def use_syslog(program: str) -> None:
    """Have each line go to syslog, too, as the mail facility's and under the program's name.

    A line that the daemon does not take at once is lost there. On OpenBSD it goes by syslog(3):
    sendsyslog(2) waits for nobody, and a process that promised ``stdio`` alone may call it.
    Elsewhere syslog(3) would wait for a daemon that is stuck.
    """
    global _send  # noqa: PLW0603  the process has one log
    if sys.platform.startswith("openbsd"):
        import syslog  # noqa: PLC0415  as below

        syslog.openlog(program, syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_MAIL)
        _send = partial(syslog.syslog, syslog.LOG_NOTICE)
        return
    # Not socket, which takes 2 ms; and not for filters, whose standard error smtpd logs.
    from _socket import AF_UNIX, SOCK_DGRAM, socket  # noqa: PLC0415

    end = socket(AF_UNIX, SOCK_DGRAM)
    end.setblocking(False)
    head = f"<{_MAIL_NOTICE}>{program}[{os.getpid()}]: "

    def send(line: str) -> None:
        with contextlib.suppress(OSError):  # no daemon, or one that takes nothing
            # By name each time: the daemon may be a new one.
            end.sendto((head + line).encode("utf-8", "backslashreplace"), _SYSLOG)

    _send = send


def goes_to_syslog() -> bool:
    """Return whether lines go to syslog, too."""
    return _send is not None


def to_syslog(line: str) -> None:
    """Send a line to syslog, where that was asked for."""
    if _send is not None:
        _send(line)


def form(event: str, session: str | None = None, **fields: object) -> str:
    """Return the log line, without its line feed."""
    words = [session] if session else []
    words.append(event)
    words += [f"{key}={_value(value)}" for key, value in fields.items() if value is not None]
    return " ".join(words)[:_LINE_MAX]


class _Limit:
    """Lets LINES_MAX lines through in each second of a clock, and counts the others."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = int(clock())
        self._lines = self.left_out = 0

    def allows(self) -> bool:
        """Return whether one more line may be written now."""
        self.end_second()
        self._lines += 1
        self.left_out += self._lines > LINES_MAX
        return self._lines <= LINES_MAX

    def end_second(self) -> None:
        """Begin a new second, if it has come; write how many lines the last one left out."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._lines = second, 0
            self.tell()

    def tell(self) -> None:
        """Write how many lines were left out, if any were."""
        count, self.left_out = self.left_out, 0
        if count:
            with contextlib.suppress(MemoryError):
                _write(form("log-limited", lines=count))


_limit: _Limit | None = None


def limit(clock: Callable[[], float] | None) -> None:
    """Write LINES_MAX lines a second, at most, from now on; a line says how many were left out.

    ``clock`` returns seconds, of any monotonic clock. With None there is no limit any more.
    """
    global _limit  # noqa: PLW0603  the process has one log
    if _limit is not None:
        _limit.tell()
    _limit = None if clock is None else _Limit(clock)


def tell_left_out() -> bool:
    """Write how many lines a second left out that is over: no line may come that would say so.

    Return whether the current second has left out any: call it again then.
    """
    if _limit is None:
        return False
    _limit.end_second()
    return _limit.left_out > 0


def emit(line: str) -> None:
    """Write a line to stderr and, where that was asked for, to syslog, within the limit."""
    if _limit is None or _limit.allows():
        _write(line)


def _write(line: str) -> None:
    """Write a line, or count it as lost where that cannot be done at once."""
    global _lost  # noqa: PLW0603  stderr is the process's, and so is the count
    written = False
    try:
        to_syslog(line)
        if _lost:
            line += f"\nlog-lines-lost count={_lost}"
        if select.select([], [_STDERR], [], 0)[1]:
            os.write(_STDERR, line.encode("utf-8", "backslashreplace") + b"\n")
            written = True
    except (OSError, ValueError, MemoryError):  # nobody to tell it to
        pass
    _lost = 0 if written else _lost + 1


def log(event: str, session: str | None = None, **fields: object) -> None:
    """Write a line to stderr. ``session`` is its id; values are str, bytes, numbers, exceptions.

    Never pass a password, a key, or the parameter of AUTH. Where there is no memory for the line,
    it is counted as lost.
    """
    global _lost  # noqa: PLW0603  as in ``_write``
    try:
        emit(form(event, session, **fields))
    except MemoryError:
        _lost += 1


def _value(value: object) -> str:
    shown = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else text(value)
    # Spelled out, for a line may have a dozen values, and each message a line.
    plain = shown and not (" " in shown or '"' in shown or "=" in shown or "\\" in shown)
    if not plain:
        shown = shown.replace("\\", "\\\\").replace('"', '\\"')
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else _escape(char) for char in shown)
    return shown if plain else f'"{shown}"'


def _escape(char: str) -> str:
    return ascii(char)[1:-1]  # the codec "unicode_escape" is a module, which may be gone


def text(value: object) -> str:
    """Return ``str(value)``, or the type's name for an object, an exception say, without a text."""
    try:
        return str(value)
    except BaseException:  # an exception's own __str__ may fail, and a log line must not
        return f"<unprintable {type(value).__name__}>"
