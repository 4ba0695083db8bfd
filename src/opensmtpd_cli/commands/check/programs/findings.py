"""Findings of the start of a program."""

import re
from collections.abc import Iterator

from opensmtpd.errors import nearest
from opensmtpd_cli.commands.check import finding
from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs.keys import KNOWN
from opensmtpd_cli.commands.check.programs.trial import Trial
from opensmtpd_cli.commands.check.programs.who import STOPS

_PLACED = re.compile(r"(?P<path>/[^:]*):(?P<line>[0-9]{1,9}): (?P<text>.+)")
_HANGS = "smtpd would wait for it for ever, and all mail with it."
_FAILS = "smtpd would stop when it starts, or put off all mail that needs this table."
_OF_FILTERS = {
    "filter-milter": "smtpd would stop when it starts, or put off mail while a milter is away.",
    "filter-rspamd": "smtpd would stop when it starts, or put off mail while rspamd is away.",
}
"""Of filters that also say whether a server of theirs is away."""


def of_hang(kind: str, place: tuple[str, int], title: str, trial: Trial) -> Finding:
    """Return the finding of a program that does not answer. ``kind`` is filter or table."""
    fault = f"{title} {trial.fault}{_last(trial.log)}"
    return finding.error(f"{kind}-hangs", place, fault, _HANGS, "mend it, or remove the line")


def of_end(kind: str, place: tuple[str, int], title: str, trial: Trial) -> Finding:
    """Return the finding of somebody else's program that ends, or says what smtpd dies of."""
    fault = f"{title} does not start: {trial.fault}{_last(trial.log)}"
    return finding.error(f"{kind}-ends", place, fault, STOPS, "mend it, or remove the line")


def of_check(
    kind: str, place: tuple[str, int], title: str, program: str, trial: Trial
) -> Iterator[Finding]:
    """Yield the findings of one of our programs that checks itself (``-n``).

    Its last line says what is wrong: with a place of its own where a file of its own is wrong, and
    with the remedy at the end.
    """
    for line in trial.log:
        if line.startswith("key-ignored "):
            yield _ignored(place, title, program, line)
    if not trial.fault:
        return
    said = next((line for line in reversed(trial.log) if line.strip()), trial.fault)
    message, _, remedy = said.removeprefix(f"{program}: ").rpartition("; ")
    if not message:
        message, remedy = remedy, ""
    placed = _PLACED.fullmatch(message)
    if placed:
        place, message = (placed["path"], int(placed["line"])), placed["text"]
    why = _OF_FILTERS.get(program, STOPS) if kind == "filter" else _FAILS
    yield finding.error(f"{kind}-refuses", place, f"{title}: {message}", why, remedy)


def _ignored(place: tuple[str, int], title: str, program: str, line: str) -> Finding:
    """Return the finding of a key in the configuration of a table that means nothing."""
    fields = {key: re.sub(r"\\(.)", r"\1", quoted) or plain for key, quoted, plain in _fields(line)}
    path, _, number = fields.get("at", "").rpartition(":")
    if number.isascii() and number.isdigit():
        place = path, int(number)
    key = fields.get("key", "")
    near = nearest(key, KNOWN.get(program, ()))
    remedy = f"did you mean {near}?" if near and near != key else "remove the line"
    fault = f"{title}: the key {key} means nothing: {fields.get('reason', '')}"
    return finding.warning("table-key-ignored", place, fault, "The line has no effect.", remedy)


_fields = re.compile(r'([a-z]+)=(?:"((?:[^"\\]|\\.)*)|([^ ]*))').findall
"""Finds the fields of a line of the log, the last of which may be cut: key, quoted value, other."""


def _last(log: list[str]) -> str:
    """Return the last line of a log as the end of a sentence; "" where there is none."""
    line = next((line for line in reversed(log) if line.strip()), "")
    return f"; it says: {line}" if line else ""
