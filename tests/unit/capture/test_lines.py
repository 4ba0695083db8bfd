import pytest

from opensmtpd.capture.format import LINE_MAX
from opensmtpd.capture.lines import WholeLines

TEXT = b"one\ntwo\n\nthree and more\nfour"


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
def test_any_chunking_gives_the_same_lines(step: int) -> None:
    whole = WholeLines()
    runs = [whole.feed(TEXT[at : at + step]) for at in range(0, len(TEXT), step)]
    assert b"".join(runs) == b"one\ntwo\n\nthree and more\n"
    assert all(run.endswith(b"\n") for run in runs if run)
    assert whole.feed(b"\n") == b"four\n"


def test_the_line_around_a_loss_is_dropped() -> None:
    whole = WholeLines()
    assert whole.feed(b"one\nhal") == b"one\n"
    whole.lost()
    assert whole.feed(b"f of another") == b""
    assert whole.feed(b" line\ntwo\n") == b"two\n"
    assert whole.dropped == len(b"hal" + b"f of another" + b" line\n")


def test_a_line_that_does_not_end_takes_no_memory() -> None:
    whole = WholeLines()
    for _ in range(20):
        assert whole.feed(b"x" * (LINE_MAX // 4)) == b""
    assert whole.feed(b"x\nnext\n") == b"next\n"
