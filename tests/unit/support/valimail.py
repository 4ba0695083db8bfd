"""The ARC test suite of ValiMail: read without a parser of YAML, which nothing else here needs.

It is as regular as its makers' editor: keys of tests have two blanks in front, their values four,
lines of messages six, and a folded text stands on lines of its own.
"""

from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    """A message, and what verification comes to."""

    name: str
    message: bytes
    cv: str
    """``"none"``, ``"pass"`` or ``"fail"``."""
    records: dict[str, str]
    """The TXT records that there are, by name."""


def cases(path: Path) -> list[Case]:
    """Return all cases, [] where there is no such file."""
    if not path.is_file():
        return []
    found = []
    for document in path.read_text(encoding="utf-8").split("\n---"):
        _, _, rest = document.partition("\ntests:\n")
        tests, _, records = rest.partition("\ntxt-records:\n")
        zone = _records(records.splitlines())
        found += [Case(*each, zone) for each in _tests(tests.splitlines())]
    return found


def _tests(lines: list[str]) -> list[tuple[str, bytes, str]]:
    found = []
    name, message = "", []
    for line in lines:
        if not line.strip() or line.startswith(" " * 6):
            message.append(line[6:])
        elif not line.startswith(" " * 4):
            name, message = line.strip(" :"), []
        elif line.startswith("    message:"):
            message = []
        elif line.startswith("    cv:"):
            # Literal text of YAML ends in one line end, however many empty lines there are.
            text = "\n".join(message).rstrip("\n") + "\n"
            said = line.partition(":")[2].strip(" |").lower()
            found.append((name, text.encode() if text.strip() else b"", said or "fail"))
    return found


def _records(lines: list[str]) -> dict[str, str]:
    records: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line.startswith(" " * 4):
            records[name].append(line.strip())
        elif line.startswith("  "):
            name, _, text = line.strip().partition(":")
            records[name] = [] if text.strip() == ">-" else [text.strip()]
    return {name: " ".join(parts) for name, parts in records.items()}
