"""The test suite of RFC 7208: its cases, and its DNS as plain data."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply

DEFAULT = "DEFAULT"
"""The explanation that a case has where there is none of the domain."""
Zonedata = Mapping[str, list[Any]]


class Case(NamedTuple):
    """A case, and the scenario that it stands in."""

    name: str
    helo: str
    host: str
    sender: str
    results: tuple[str, ...]
    """Those that are right."""
    explanation: str
    """Empty where the case says nothing of it."""
    zone: Zonedata


def cases(path: Path) -> Iterator[Case]:
    """Yield the cases of a file."""
    with path.open(encoding="utf-8") as file:
        for scenario in yaml.safe_load_all(file):
            for name, case in scenario["tests"].items():
                result = case["result"]
                yield Case(
                    f"{scenario['description']}: {name}",
                    case["helo"],
                    case["host"],
                    case["mailfrom"],
                    (result,) if isinstance(result, str) else tuple(result),
                    case.get("explanation", ""),
                    scenario["zonedata"],
                )


def records(zone: Zonedata) -> Iterator[tuple[str, str, Any]]:
    """Yield name, type and value of each record, as the file has it.

    SPF records of old stand for TXT records, where a name has no TXT records. The type ``TIMEOUT``
    is for all questions that no record of the name answers.
    """
    for name, rows in zone.items():
        owner = name.lower().removesuffix(".")
        kinds = {kind for row in rows if isinstance(row, dict) for kind in row}
        for row in rows:
            if row == "TIMEOUT":
                yield owner, "TIMEOUT", None
                continue
            [(kind, value)] = row.items()
            if kind == "SPF" and "TXT" not in kinds:
                yield owner, "TXT", value
            elif kind != "SPF" and value != "NONE":
                yield owner, kind, value


class PlainDns:
    """Replies to questions, from the records of a scenario."""

    def __init__(self, zone: Zonedata) -> None:
        self._found: dict[tuple[str, str], list[Any]] = {}
        for name, kind, value in records(zone):
            self._found.setdefault((name, kind), []).append(value)

    def __call__(self, question: Question) -> Reply:
        """Return the reply."""
        name = question.name
        for _ in range(8):
            values = self._found.get((name, question.kind))
            if values is not None:
                return _reply(question.kind, values)
            if (name, "TIMEOUT") in self._found:
                return Failed("timeout")
            if (name, "CNAME") not in self._found:
                return Absent(nxdomain=name not in {owner for owner, _ in self._found})
            name = str(self._found[name, "CNAME"][0]).lower().removesuffix(".")
        return Failed("CNAME loop")


def _reply(kind: RecordType, values: list[Any]) -> Reply:
    if kind == RecordType.TXT:
        return Found(tuple("".join(each) if isinstance(each, list) else each for each in values))
    if kind == RecordType.MX:
        values = [host for _, host in sorted(values)]
    texts = [str(each).lower().removesuffix(".") for each in values]
    texts = [text for text in texts if text]
    return Found(tuple(texts)) if texts else Absent()
