"""Positions: what parts begin and end with, and what follows what."""

import pytest

from opensmtpd.table.matching.positions import NOTHING, POSITIONS_MAX, Part, Positions, each, either


def three() -> tuple[Positions, Part, Part, Part]:
    positions = Positions()
    return positions, positions.new(1), positions.new(2), positions.new("^")


def test_new_positions() -> None:
    positions, one, two, anchor = three()
    assert (one, two, anchor) == (Part(1, 1, False), Part(2, 2, False), Part(4, 4, False))
    assert positions.takes == [1, 2, "^"]
    assert positions.follow == [0, 0, 0]


def test_one_behind_the_other() -> None:
    positions, one, two, three_ = three()
    whole = positions.then(positions.then(one, two), three_)
    assert whole == Part(0b001, 0b100, empty=False)
    assert positions.follow == [0b010, 0b100, 0]


def test_what_may_be_empty_lets_its_neighbours_meet() -> None:
    positions, one, two, three_ = three()
    maybe = positions.repeat(positions.new(3), 3, 0, 1)
    assert maybe == Part(0b1000, 0b1000, empty=True)
    whole = positions.then(positions.then(one, maybe), two)
    assert whole == Part(0b0001, 0b0010, empty=False)
    assert positions.follow == [0b1010, 0, 0, 0b0010]
    assert positions.then(NOTHING, three_) == three_ == positions.then(three_, NOTHING)


def test_either() -> None:
    assert either(Part(1, 2, empty=False), Part(4, 8, empty=True)) == Part(5, 10, empty=True)


@pytest.mark.parametrize(
    ("least", "most", "follow", "part"),
    [
        (0, None, [0b1], Part(1, 1, empty=True)),
        (1, None, [0b1], Part(1, 1, empty=False)),
        (0, 1, [0], Part(1, 1, empty=True)),
        (1, 1, [0], Part(1, 1, empty=False)),
        (3, 3, [0b010, 0b100, 0], Part(0b001, 0b100, empty=False)),
        (2, 3, [0b010, 0b100, 0], Part(0b001, 0b110, empty=False)),
        (0, 3, [0b010, 0b100, 0], Part(0b001, 0b111, empty=True)),
        (2, None, [0b010, 0b010], Part(0b01, 0b10, empty=False)),
        (0, 0, [], NOTHING),
    ],
)
def test_repeats(least: int, most: int | None, follow: list[int], part: Part) -> None:
    positions = Positions()
    assert positions.repeat(positions.new(5), 0, least, most) == part
    assert positions.follow == follow
    assert positions.takes == [5] * len(follow)


def test_repeats_of_more_than_one_position() -> None:
    positions = Positions()
    positions.new(9)
    pair = positions.then(positions.new(1), positions.new(2))
    assert positions.repeat(pair, 1, 1, 2) == Part(0b00010, 0b10100, empty=False)
    assert positions.takes == [9, 1, 2, 1, 2]
    assert positions.follow == [0, 0b00100, 0b01000, 0b10000, 0]


def test_nothing_repeated_is_nothing() -> None:
    positions = Positions()
    assert positions.repeat(NOTHING, 0, 1000, None) == NOTHING
    assert positions.takes == []


def test_there_is_a_limit() -> None:
    positions = Positions()
    part = positions.repeat(positions.new(1), 0, POSITIONS_MAX, None)
    assert len(positions.takes) == POSITIONS_MAX
    with pytest.raises(ValueError, match="with its repeats written out, over 1000 characters"):
        positions.new(1)
    with pytest.raises(ValueError, match="over 1000"):
        positions.repeat(part, 0, 32767, 32767)
    assert len(positions.takes) == POSITIONS_MAX


def test_each() -> None:
    assert list(each(0)) == []
    assert list(each(1 << 999 | 0b101)) == [0, 2, 999]
