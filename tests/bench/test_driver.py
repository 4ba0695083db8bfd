"""The orders in which the driver sends the lines of messages."""

import random

import pytest

from bench.driver import LINE_BY_LINE, WHOLE, Order, as_smtpd, cuts, message, wire


def test_each_run_ends_behind_a_line() -> None:
    dice = random.Random(0)
    assert cuts([3, 5, 7], LINE_BY_LINE, dice) == [3, 8, 15]
    assert cuts([3, 5, 7], WHOLE, dice) == [15]
    assert cuts([1] * 10, Order("fours", 4, 4), dice) == [4, 8, 10]


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [
        (500, 24, 28),
        (2_000, 24, 28),
        (20_000, 117, 196),
        (200_000, 210, 365),
        (2_000_000, 210, 365),
    ],
)
def test_runs_of_smtpd_as_they_were_seen(size: int, least: int, most: int) -> None:
    order = as_smtpd(size)
    assert (order.least, order.most) == (least, most)


def test_runs_are_as_long_as_the_order_says() -> None:
    found = cuts([1] * 1000, as_smtpd(2_000), random.Random(1))
    lengths = [end - start for start, end in zip([0, *found], found, strict=False)]
    assert found[-1] == 1000
    assert set(lengths[:-1]) == {24, 25, 26, 27, 28}


def test_a_message_is_as_long_as_it_is_asked_for() -> None:
    text = message(2_000)
    assert 2_000 <= len(text) < 2_100
    lines = wire(text, b"0123456789abcdef").splitlines()
    assert lines[0].endswith(b"|0123456789abcdef|1f083015d732b8dd|Received: from mail.example.net"
                             b" (mail.example.net [192.0.2.7])")  # fmt: skip
    assert lines[-1].endswith(b"|.")
