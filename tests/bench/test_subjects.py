"""The parts of the subjects that need no program: messages, samples, tables with many columns."""

from types import FrameType, SimpleNamespace
from typing import cast

import pytest

from bench import page
from bench.programs import sampled_dkimsign
from bench.records import Figure
from bench.subjects import growth
from lab.root.plugin import TREE


@pytest.mark.parametrize(("lines", "width"), [(1, 1), (100, 60), (10, 900)])
def test_growing_messages_have_lines_of_one_width(lines: int, width: int) -> None:
    text = growth.text(lines, width).partition(b"\n\n")[2].splitlines()
    assert [len(line) for line in text] == [width] * lines
    assert b"." not in {line[:1] for line in text}


def frame(*files: str) -> FrameType | None:
    """Return frames of files, the innermost first, of which only the names are looked at."""
    made = None
    for file in reversed(files):
        made = SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_back=made)
    return cast("FrameType | None", made)


@pytest.mark.parametrize(
    ("files", "part"),
    [
        (["/usr/lib/opensmtpd/_protocol/filter/runs.py"], "protocol: lines in and out"),
        (["/usr/lib/python3.13/selectors.py", "/usr/lib/opensmtpd/_runtime/loop.py",
          "/usr/lib/opensmtpd/worker/pool.py"], "loop: poll, read, write"),
        (["/usr/lib/opensmtpd/worker/pool.py"], "hand-off to the workers"),
        (["/usr/lib/opensmtpd/mail/dkim/sign/signer.py"], "canonical form, hash, header field"),
        (["/usr/lib/python3.13/runpy.py"], "the rest"),
        ([], "the rest"),
    ],
)  # fmt: skip
def test_samples_belong_to_the_innermost_part_of_ours(files: list[str], part: str) -> None:
    assert sampled_dkimsign.part(frame(*files)) == part


def test_the_parts_are_folders_of_the_source() -> None:
    for path in sampled_dkimsign.PARTS:
        assert any((TREE / top / path).is_dir() for top in ("src", "filters"))


def test_many_contestants_have_a_row_each() -> None:
    values = {"none": [100.0, 200.0], **{f"f{n}": [50.0, 100.0] for n in range(5)}}
    figure = Figure("connections a second", "connections/s", "4 at a time", "more", values)
    assert page.ranking(figure).splitlines()[:4] == [
        "|  | 4 at a time | / none |",
        "| --- | ---: | ---: |",
        "| none | 150 (100 to 200) | 1.00 |",
        "| f0 | 75.0 (50.0 to 100) | 0.50 |",
    ]
