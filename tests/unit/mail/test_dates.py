"""Dates of header fields."""

import time

import pytest

from opensmtpd.mail.dates import date


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC0", "Thu, 1 Jan 2026 00:30:05 +0000"),
        ("CET-1", "Thu, 1 Jan 2026 01:30:05 +0100"),
        ("NST3:30", "Wed, 31 Dec 2025 21:00:05 -0330"),
    ],
)
def test_date(zone: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert date(1767227405.9) == expected
    finally:
        monkeypatch.undo()
        time.tzset()
