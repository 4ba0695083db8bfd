"""Folding, against a slow model that decides anew for each piece."""

from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.mail.dkim.folding import Folding


def width(line: bytes) -> int:
    column = 0
    for byte in line:
        column = (column + 8) & ~7 if byte == 0x09 else column + 1
    return column


def test_fills_a_line_to_its_last_column() -> None:
    folding = Folding()
    folding.piece(b"x" * 70)
    folding.piece(b" " + b"y" * 7)
    assert folding.text() == b"x" * 70 + b" " + b"y" * 7
    folding.piece(b" z")
    assert folding.text() == b"x" * 70 + b" yyyyyyy\r\n\tz"


def test_a_break_takes_the_place_of_white_space() -> None:
    folding = Folding()
    folding.piece(b"x" * 75)
    folding.piece(b" abcd")
    assert folding.text() == b"x" * 75 + b"\r\n\tabcd"


def test_a_piece_too_long_for_any_line_overflows() -> None:
    folding = Folding()
    folding.piece(b"name:")
    folding.piece(b" " + b"x" * 100)
    folding.piece(b" y")
    assert folding.text() == b"name:\r\n\t" + b"x" * 100 + b"\r\n\ty"


def test_a_run_is_cut_at_any_byte() -> None:
    folding = Folding()
    folding.piece(b"x" * 70)
    folding.run(b"0123456789" * 16)
    lines = folding.text().split(b"\r\n")
    assert [width(line) for line in lines] == [78, 78, 78, 20]
    assert b"".join(line.strip(b"\t") for line in lines) == b"x" * 70 + b"0123456789" * 16


def test_a_run_behind_what_overflows_begins_a_line() -> None:
    folding = Folding()
    folding.piece(b"name:")
    folding.piece(b" " + b"x" * 90)
    folding.run(b"abc")
    assert folding.text() == b"name:\r\n\t" + b"x" * 90 + b"\r\n\tabc"


def test_a_copy_goes_on_by_itself() -> None:
    folding = Folding()
    folding.piece(b"x" * 70)
    other = folding.copy()
    folding.run(b"a" * 9)
    other.piece(b" b")
    assert folding.text() == b"x" * 70 + b"a" * 8 + b"\r\n\ta"
    assert other.text() == b"x" * 70 + b" b"


def test_nothing_stays_nothing() -> None:
    folding = Folding()
    folding.run(b"")
    assert folding.text() == b""


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 200)), max_size=20),
)
def test_no_line_is_wider_than_it_must_be(steps: list[tuple[bool, int]]) -> None:
    folding = Folding()
    widest = 0
    for breakable, length in steps:
        if breakable:
            folding.run(b"r" * length)
        else:
            folding.piece(b" " + b"p" * length)
            widest = max(widest, length)
    lines = folding.text().split(b"\r\n")
    assert all(
        width(line) <= 78 or line.strip(b" \t") in (b"p" * n for n in range(71, 201))
        for line in lines
    )
    assert sum(line.count(b"r") for line in lines) == sum(n for breakable, n in steps if breakable)
    assert sum(line.count(b"p") for line in lines) == sum(
        n for breakable, n in steps if not breakable
    )
