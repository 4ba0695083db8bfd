"""The one logging form: ``SESSION event key=value …`` on stderr, a line at a time.

smtpd puts the filter's name in front and writes it to its own log, where the session id comes
first too. Values never break the line: what is not printable is escaped. Nothing here waits: a line
that the other side does not take at once is counted, and the next one that goes out says so.
"""

import os
import select

_STDERR = 2
_LINE_MAX = 1000
_lost = 0


def form(event: str, session: str | None = None, **fields: object) -> str:
    """Return the log line, without its line feed."""
    words = [session] if session else []
    words.append(event)
    words += [f"{key}={_value(value)}" for key, value in fields.items() if value is not None]
    return " ".join(words)[:_LINE_MAX]


def emit(line: str) -> None:
    """Write a line to stderr, or count it as lost where that cannot be done at once."""
    global _lost  # noqa: PLW0603  stderr is the process's, and so is the count
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
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else _str(value)
    plain = text and not any(char in text for char in ' "=\\')
    if not plain:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    text = "".join(char if char.isprintable() else _escape(char) for char in text)
    return text if plain else f'"{text}"'


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _str(value: object) -> str:
    try:
        return str(value)
    except Exception:  # an exception's own __str__ may fail, and a log line must not
        return f"<unprintable {type(value).__name__}>"
