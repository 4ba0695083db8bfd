"""Start a program as smtpd does, see whether it would do, and end it again."""

import re
import time
from collections.abc import Callable, Sequence
from signal import Signals
from typing import NamedTuple

from opensmtpd.errors import RemoteError
from opensmtpd.testing.model.smtpd import Smtpd
from opensmtpd_cli.errors import Stopped
from opensmtpd_cli.plugin import table_verdicts
from opensmtpd_cli.plugin.filter_run import Run
from opensmtpd_cli.plugin.start import Program
from opensmtpd_cli.plugin.talk import Talk
from opensmtpd_cli.terminal import shown

_LOG_MAX = 1000
"""Lines of its log that are kept; the last ones."""
_LINE_MAX = 500
_HEAD = 65536
_OURS = re.compile(rb"^[ \t]*(?:from|import)[ \t]+opensmtpd(?:_filters|_tables)?\b", re.MULTILINE)


class Trial(NamedTuple):
    """The start of a program. ``fault`` is "" where it would do; ``log`` is what it wrote."""

    fault: str
    log: list[str]
    hangs: bool = False


def is_ours(path: str) -> bool:
    """Return whether a program is made with this library, and so takes ``-n``."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return head.startswith(b"#!") and _OURS.search(head) is not None


def checked(program: Program, within: float) -> Trial:
    """Run one of ours that was given ``-n``, to its end."""
    until = time.monotonic() + within

    def hear(talk: Talk) -> str:
        while True:
            _line(talk, until)

    return _tried(program, within, hear, status=True)


def filter_starts(program: Program, models: Sequence[str], within: float) -> Trial:
    """Shake hands with a filter as an smtpd of one of these versions does, and hang up.

    It fails where it fails with all of them.
    """
    found = Trial("", [])
    for model in models:
        found = _with_model(program, model, within)
        if not found.fault:
            break
    return found


def _with_model(program: Program, model: str, within: float) -> Trial:
    def shake(talk: Talk) -> str:
        try:
            Run(talk, Smtpd(model), timeout=within, tell=lambda *_, **__: None).start()
        except Stopped as stop:
            if stop.outcome.startswith("error: no "):
                raise TimeoutError from None
            return stop.outcome.removeprefix("fatal: ").removeprefix("error: ")
        return ""

    return _tried(program, within, shake)


def table_starts(program: Program, name: str, version: str, within: float) -> Trial:
    """Shake hands with a table as the smtpd of this version does, and hang up."""

    until = time.monotonic() + within

    def shake(talk: Talk) -> str:
        about = (f"smtpd-version|{version}", "protocol|0.1", f"tablename|{name}", "ready")
        talk.send("".join(f"config|{line}\n" for line in about).encode())
        services = 0
        try:
            while table_verdicts.registration(_line(talk, until)) is not None:
                services += 1
        except RemoteError as error:
            return str(error)
        return "" if services else "it registers no service"

    return _tried(program, within, shake)


def _line(talk: Talk, until: float) -> bytes:
    """Return the next line; a program that says more and more does not get more time."""
    line = talk.line()
    if time.monotonic() > until:
        raise TimeoutError
    return line


def _tried(
    program: Program, within: float, do: Callable[[Talk], str], *, status: bool = False
) -> Trial:
    """Start a program and do something with it. ``status``: it must end by itself, with 0."""
    log: list[str] = []

    def note(line: bytes) -> None:
        log.append(shown(line[:_LINE_MAX]))
        del log[:-_LOG_MAX]

    try:
        talk = Talk(program, timeout=within, log=note)
    except OSError as error:
        return Trial(f"{program.path} cannot be run: {error.strerror}", log)
    with talk:
        try:
            fault = do(talk)
        except EOFError:
            ended = talk.end()
            fault = "" if status and ended == 0 else _end(ended)
        except TimeoutError:
            talk.log_so_far()
            said = [*log]  # when we hang up, it may complain of that
            return Trial(f"does not answer within {within:g} s", said, hangs=True)
        talk.log_so_far()
    return Trial(fault, log)


def _end(status: int | None) -> str:
    if status is None:
        return "it hangs up, and does not end"
    if status < 0:
        known = {int(each): each.name for each in Signals}
        return f"it died of {known.get(-status, f'signal {-status}')}"
    return f"it ended with status {status}"
