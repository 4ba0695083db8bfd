"""The command line of filter-record; what it does is in tests/unit/capture."""

import sys
from pathlib import Path

import pytest

from opensmtpd.capture.writer import CaptureSettings
from opensmtpd_filters import record
from unit.support.processes import CHECKED


def test_the_command_stands_behind_two_hyphens() -> None:
    flags = record.parse(["/x", "--", "filter-x", "-n", "--", "--files", "1"])
    assert flags.command == ["filter-x", "-n", "--", "--files", "1"]
    assert record.settings(flags) == CaptureSettings("/x", 64 << 20, 4)


def test_all_options() -> None:
    flags = record.parse(
        ["--no-bodies", "--no-addresses", "--size", "1M", "--files=2", "/x", "--", "filter-x"]
    )
    wanted = CaptureSettings("/x", 1 << 20, 2, bodies=False, addresses=False)
    assert record.settings(flags) == wanted


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "the following arguments are required: CAPTURE, COMMAND"),
        (["/x"], "write the command of the filter behind the capture and --"),
        (["/x", "--"], "write the command of the filter behind the capture and --"),
        (
            ["/x", "filter-x", "--", "y"],
            "write the command of the filter behind the capture and --",
        ),
        (["/x", "--file", "1", "--", "y"], "there is no option --file; did you mean --files?"),
        (["/x", "--size", "1", "--", "y"], "argument --size: '1' is less than 64K"),
    ],
)
def test_mistakes(words: list[str], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        record.parse(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"filter-record: {fault[:50]}")


@pytest.mark.parametrize(("folder", "status"), [("", 0), ("no/", 1)])
def test_the_check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: str,
    status: int,
) -> None:
    words = ["filter-record", "-n", f"{tmp_path}/{folder}capture", "--", "/bin/sh"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as caught:
        record.main()
    assert caught.value.code == status
    out, err = capsys.readouterr()
    if status:
        assert err.startswith(f"filter-record: {tmp_path}/no: no files can be made there; make it")
    else:
        assert out == f"filter-record: {CHECKED}\n"
    assert list(tmp_path.iterdir()) == []
