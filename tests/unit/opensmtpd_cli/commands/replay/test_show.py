"""``show``: a capture, line by line."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opensmtpd.capture.format import (
    CapturedLines,
    CaptureEnd,
    CaptureEntry,
    CaptureKind,
    CaptureLoss,
)
from opensmtpd_cli.main import main
from unit.support import captures
from unit.support.captures import P, S

ENTRIES: list[CaptureEntry] = [
    CapturedLines(1.8e9, S, b"config|ready\n"),
    CapturedLines(1.8e9 + 0.25, P, b"register|report|smtp-in|tx-begin\nregister|ready\n"),
    CapturedLines(1.8e9 + 1, S, b"report|0.7|1|smtp-in|tx-begin|s1|x\x1b[31m\n"
                  b"filter|0.7|1|smtp-in|commit|s2|t|\n"),
    CapturedLines(1.8e9 + 2, S, b"filter|0.7|1|smtp-in|auth|s2|t|***\n", True),
    CaptureLoss(1.8e9 + 3, 12345),
    CapturedLines(1.8e9 + 4, P, b"filter-result|s2|t|proceed\n"),
    CaptureEnd(1.8e9 + 5, -15),
]  # fmt: skip


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return captures.write(tmp_path / "capture", CaptureKind.FILTER, ENTRIES)


def show(*words: object) -> Result:
    return CliRunner().invoke(main, ["show", *map(str, words)])


def lines(result: Result) -> list[str]:
    return [re.sub(r"^\d\d:\d\d:\d\d\.\d{6}", "T", line) for line in result.stdout.splitlines()]


def test_each_line_with_its_side(capture: Path) -> None:
    result = show(capture)
    first, *rest = lines(result)
    assert re.fullmatch(r"# filter-x, started 2027-01-1[45] \d\d:\d\d:\d\d [+-]\d{4}", first)
    assert rest == [
        "T < config|ready",
        "T > register|report|smtp-in|tx-begin",
        "T > register|ready",
        "T < report|0.7|1|smtp-in|tx-begin|s1|x\\x1b[31m",
        "T < filter|0.7|1|smtp-in|commit|s2|t|",
        "T < filter|0.7|1|smtp-in|auth|s2|t|***",
        "T # 12,345 bytes were not recorded",
        "T > filter-result|s2|t|proceed",
        "T # the program ended with SIGTERM",
    ]
    assert ".250000 >" in result.stdout
    assert result.exit_code == 0


def test_one_session(capture: Path) -> None:
    assert [line for line in lines(show(capture, "--session", "s2"))[1:] if "#" not in line] == [
        "T < filter|0.7|1|smtp-in|commit|s2|t|",
        "T < filter|0.7|1|smtp-in|auth|s2|t|***",
        "T > filter-result|s2|t|proceed",
    ]


def test_one_request_of_a_table(tmp_path: Path) -> None:
    texts = (b"table|0.1|1|t|lookup|alias|0a|x\n", b"table|0.1|1|t|update|0b\n")
    entries = [CapturedLines(1.8e9, S, text) for text in texts]
    answers = [CapturedLines(1.8e9, P, b"update-result|0b|ok\n")]
    path = captures.write(tmp_path / "capture", CaptureKind.TABLE, [*entries, *answers])
    assert lines(show(path, "--session", "0b"))[1:] == [
        "T < table|0.1|1|t|update|0b",
        "T > update-result|0b|ok",
    ]


def test_a_damaged_capture_is_shown_up_to_there(capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-5])
    result = show(capture)
    assert lines(result)[-1] == "T > filter-result|s2|t|proceed"
    assert result.stderr == f"{capture}: its last record is cut off; what follows is not read\n"
    assert result.exit_code == 3


def test_times_of_a_hostile_capture(tmp_path: Path) -> None:
    path = captures.write(tmp_path / "capture", CaptureKind.FILTER, [CaptureEnd(1.0, 2**40)])
    assert lines(show(path))[1:] == [f"T # the program ended with status {2**40}"]
    for time in (float("nan"), float("inf"), -1e300, 1e300):
        captures.write(path, CaptureKind.FILTER, [CaptureEnd(time, 0)])
        result = show(path)
        assert len(lines(result)) == 1
        assert result.stderr == f"{path}: a record that is none; what follows is not read\n"


def test_no_capture(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("text")
    result = show(tmp_path / "x")
    assert result.exit_code == 1
    assert result.stderr == (
        f"main: {tmp_path}/x: it is no capture; name a file that filter-record or table-record"
        " wrote\n"
    )
