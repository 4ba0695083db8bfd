"""The one logging form: ``SESSION event key=value …`` on stderr, a line at a time.

smtpd puts the filter's name in front and writes it to its own log, where the session id comes
first too. Values never break the line: characters that are not printable are escaped. Nothing here
waits: a line that the other side does not take at once is counted, and the next one that goes out
says so.
"""

import contextlib
import os
import select
from collections.abc import Callable

__all__ = ["log"]

_STDERR = 2
_LINE_MAX = 1000
_lost = 0

_SYSLOG = "/dev/log"
_MAIL_NOTICE = 2 << 3 | 5
"""LOG_MAIL and LOG_NOTICE as ``syslog.h`` numbers them."""
_send: Callable[[str], object] | None = None


def use_syslog(program: str) -> None:
    """Have each line go to syslog, too, as the mail facility's and under the program's name.

    syslog(3) would wait for a daemon that is stuck; a line that it does not take is lost there.
    """
    import socket  # noqa: PLC0415  not for filters, whose standard error smtpd logs

    global _send  # noqa: PLW0603  the process has one log
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    end.setblocking(False)
    head = f"<{_MAIL_NOTICE}>{program}[{os.getpid()}]: "

    def send(line: str) -> None:
        with contextlib.suppress(OSError):  # no daemon, or one that takes nothing
            # By name each time: the daemon may be a new one.
            end.sendto((head + line).encode("utf-8", "backslashreplace"), _SYSLOG)

    _send = send


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


def emit(line: str) -> None:
    """Write a line to stderr, or count it as lost where that cannot be done at once."""
    global _lost  # noqa: PLW0603  stderr is the process's, and so is the count
    to_syslog(line)
    if _lost:
        line += f"\nlog-lines-lost count={_lost}"
    try:
        writable = select.select([], [_STDERR], [], 0)[1]
        if writable:
            os.write(_STDERR, line.encode("utf-8", "backslashreplace") + b"\n")
    except (OSError, ValueError):  # nobody to tell it to
        writable = []
    _lost = 0 if writable else _lost + 1


def log(event: str, session: str | None = None, **fields: object) -> None:
    """Write a line to stderr. ``session`` is its id; values are str, bytes, numbers, exceptions.

    Never pass a password, a key, or the parameter of AUTH.
    """
    emit(form(event, session, **fields))


def _value(value: object) -> str:
    shown = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else text(value)
    plain = shown and not any(char in shown for char in ' "=\\')
    if not plain:
        shown = shown.replace("\\", "\\\\").replace('"', '\\"')
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
