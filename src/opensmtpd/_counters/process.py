"""The counter file of the process that smtpd talks to, from its start to its end."""

from opensmtpd._counters import file

_file: file.CounterFile | None = None


def begin(program: str) -> None:
    """Open the file, if there is a folder for it."""
    global _file  # noqa: PLW0603  a process has one
    _file = file.opened(program)


def write() -> None:
    """Write what was counted since the last time. It may be called from a signal's handler."""
    if _file is not None:
        _file.write()
