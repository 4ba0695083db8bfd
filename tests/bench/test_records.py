"""Records are read as they were written, and nothing else is taken for one."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.records import Figure, Goal, Record, RecordError, finish, line, number, read, size, write

RATE = Figure(
    "messages a second", "messages/s", "2 KB", "more",
    {"C": [100, 200, 400], "ours": [300, 400, 800]},
    (Goal(2.5, "C"), Goal(400)), {"bytes": 2000},
)  # fmt: skip
RECORD = Record("signing", "2026-11-30", 7.0, {"CPU": "abacus"}, {"python3.13": "3.13.5"}, (RATE,))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = write(RECORD, tmp_path)
    assert path == tmp_path / "signing.json"
    assert read(path) == RECORD


def test_medians_and_ratios_of_rounds() -> None:
    assert RATE.median("ours") == 400
    assert RATE.ratio("C") == 2.0  # of 3, 2 and 2; that of the medians is 2, too
    assert Figure("a", "", "", "less", {"C": [1, 10, 2], "ours": [4, 5, 6]}).ratio("C") == 3.0


@pytest.mark.parametrize(
    ("better", "limit", "against", "met"),
    [
        ("more", 2.0, "C", True),
        ("more", 2.1, "C", False),
        ("less", 2.0, "C", True),
        ("less", 1.9, "C", False),
        ("more", 400, "", True),
        ("less", 399, "", False),
    ],
)
def test_goals(better: str, limit: float, against: str, met: bool) -> None:
    figure = Figure("m", "u", "w", better, RATE.values)
    assert figure.met(Goal(limit, against)) is met


def test_a_figure_is_printed_with_its_goals() -> None:
    assert line(RATE) == (
        "messages a second, 2 KB: C 200 (100-400), ours 400 (300-800) messages/s;"
        " 2.00 (goal >= 2.5 x C: MISSED); 400 (goal >= 400)"
    )


def test_numbers_as_people_read_them() -> None:
    assert [number(each) for each in (0.0471, 1.2345, 12.345, 123.45, 12345.6)] == [
        *("0.05", "1.23", "12.3", "123", "12,346")
    ]
    assert [size(each) for each in (2_000, 100_000, 2_000_000)] == ["2 KB", "100 KB", "2 MB"]


def broken(**changes: Any) -> str:
    """Return the text of a file whose fields, or those of its figure, are changed."""
    fields = json.loads(json.dumps({"form": 1, **RECORD.__dict__, "figures": [RATE.__dict__]},
                                   default=lambda goal: goal.__dict__))  # fmt: skip
    for name, value in changes.items():
        (fields if name in fields else fields["figures"][0])[name] = value
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "JSONDecodeError"),
        ("[]", "TypeError|AttributeError"),
        ("{}", "KeyError: 'form'"),
        (broken(form=2), "not of form 1: measure anew"),
        (broken(colour="blue"), "unexpected keyword argument 'colour'"),
        (broken(better="higher"), "better is 'higher'"),
        (broken(values={"C": [1], "ours": []}), r"ours has \[\]"),
        (broken(values={"C": [1], "ours": ["1"]}), r"ours has \['1'\]"),
        (broken(values={"ours": [1]}), "a goal of '2 KB' needs 'C'"),
    ],
)
def test_a_wrong_file_is_refused_by_its_name(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "signing.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=why) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="FileNotFoundError"):
        read(tmp_path / "signing.json")


@pytest.mark.parametrize(
    ("load", "notes"),
    [
        (0.05, ("One is not here.",)),
        (0.62, ("Other work used 62% of the processors when this was begun or had"
                " ended: take its figures for rough ones.", "One is not here.")),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("goals", "status"), [((), 0), ((Goal(9, "C"),), 1)])
def test_what_is_measured_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    load: float,
    notes: tuple[str, ...],
    goals: tuple[Goal, ...],
    status: int,
) -> None:
    monkeypatch.setattr("bench.records.FOLDER", tmp_path)
    monkeypatch.setattr("bench.machine.busy", lambda: load)
    monkeypatch.setattr("bench.machine.versions", lambda: {"python": "3"})
    figure = Figure("m", "u", "w", "more", {"C": [1], "ours": [2]}, goals)
    assert finish("state", iter([figure]), ["One is not here."]) == status
    record = read(tmp_path / "state.json")
    assert (record.figures, record.notes) == ((figure,), notes)
    assert record.machine.keys() == {"CPU", "processors", "memory", "kernel"}
