"""A small record gives a literal page, and the same files each time."""

from pathlib import Path

import pytest

from bench import page, plots, subjects
from bench.records import Figure, Goal, Record, RecordError, write
from lab.shows.bench import NAMES

MACHINE, VERSIONS = {"CPU": "abacus", "processors": "2"}, {"python3.13": "3.13.5-2"}


def rate(size: int, **values: list[float]) -> Figure:
    return Figure(
        "messages a second", "messages/s", f"{size // 1000} KB, 16 sessions", "more", values,
        (Goal(2.5, "C"), Goal(0.8, "echo")) if "echo" in values else (Goal(2.5, "C"),),
        {"bytes": size, "order": "as smtpd interleaves"},
    )  # fmt: skip


RECORD = Record(
    "signing", "2026-11-30", 180, MACHINE, VERSIONS,
    (
        rate(2_000, C=[100, 110, 120], ours=[300, 330, 240], echo=[400, 400, 400]),
        rate(20_000, C=[10], ours=[20]),
        Figure("memory", "MiB", "64 sessions", "less", {"ours": [70.25]}, (Goal(80),)),
    ),
    ("No filter of others was at hand.",),
)  # fmt: skip

TABLES = """\
**Messages a second**, messages/s

|  | C | echo | ours | ours / C | goal |
| --- | ---: | ---: | ---: | ---: | --- |
| 2 KB, 16 sessions | 110 (100 to 120) | 400 | 300 (240 to 330) | 3.00 (2.00 to 3.00) | ≥ 2.5 x C, met; ≥ 0.8 x echo, **missed: 0.75** |
| 20 KB, 16 sessions | 10.0 |  | 20.0 | 2.00 | ≥ 2.5 x C, **missed: 2.00** |

**Memory**, MiB

|  | ours | goal |
| --- | ---: | --- |
| 64 sessions | 70.2 | ≤ 80 MiB, met |

No filter of others was at hand."""  # noqa: E501


def test_the_tables_of_a_subject() -> None:
    assert page.tables(RECORD) == TABLES


def test_a_page_has_the_sections_that_were_measured() -> None:
    text = page.page({"signing": RECORD}, ["signing-rate"])
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Performance",
        "## Signing",
        "## Goals that are missed",
        "## Method",
        "## Limits",
        "## Machine and versions",
    ]
    assert TABLES in text
    assert "(static/performance/signing-rate.svg)" in text
    assert "signing-cpu" not in text
    assert "<!--" not in text
    assert "Measured on 2026-11-30, in 3 minutes." in text
    assert "| CPU | abacus |\n| processors | 2 |\n\n" in text
    assert "| python3.13 | 3.13.5-2 |\n" in text
    assert (
        "## Goals that are missed\n\n"
        "- signing: messages a second, 2 KB, 16 sessions: ≥ 0.8 x echo, **missed: 0.75**\n"
        "- signing: messages a second, 20 KB, 16 sessions: ≥ 2.5 x C, **missed: 2.00**\n\n"
    ) in text


def test_all_subjects_have_their_place_on_the_page() -> None:
    words = page.PAGE.read_text()
    assert {name: words.count(f"\n$tables_{name}\n") for name in page.SUBJECTS} == dict.fromkeys(
        page.SUBJECTS, 1
    )
    assert [name for name in plots.PLOTS if f"(static/performance/{name}.svg)" not in words] == []


def test_each_module_that_measures_is_on_the_page_and_is_run() -> None:
    modules = {path.stem for path in Path(subjects.__file__).parent.glob("[!_]*.py")}
    assert modules - set(page.SUBJECTS) == set()
    assert modules - set(NAMES) == set()


def test_nothing_is_made_of_nothing_or_of_two_machines(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="nothing was measured"):
        page.records(tmp_path)
    write(RECORD, tmp_path)
    write(Record("tables", "2026-11-30", 1, {"CPU": "slide rule"}, {}, ()), tmp_path)
    with pytest.raises(RecordError, match="tables and signing were measured on two machines"):
        page.records(tmp_path)


def test_nothing_is_made_of_two_versions(tmp_path: Path) -> None:
    write(RECORD, tmp_path)
    versions = {**RECORD.versions, "opensmtpd-plugins": "another commit"}
    write(Record("tables", "2026-11-30", 1, RECORD.machine, versions, ()), tmp_path)
    with pytest.raises(RecordError, match="tables and signing are not of the same versions"):
        page.records(tmp_path)


def test_plots_are_the_same_each_time_and_go_with_their_figures(tmp_path: Path) -> None:
    assert plots.draw({"signing": RECORD}, tmp_path) == ["signing-rate"]
    [path] = tmp_path.iterdir()
    first = path.read_bytes()
    plots.draw({"signing": RECORD}, tmp_path)
    assert path.read_bytes() == first
    assert b"20 KB" in first
    assert b"Matplotlib" not in first.replace(b"Created with matplotlib", b"")
    assert plots.draw({"tables": Record("tables", "", 0, {}, {}, ())}, tmp_path) == []
    assert list(tmp_path.iterdir()) == []
