"""The chart: its bars and its days."""

import re
from xml.etree import ElementTree

from opensmtpd_cli.commands.dmarc.chart import bars, days


def test_all_days_between_are_there() -> None:
    assert days(["2024-02-28", "2024-03-01"]) == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert days([]) == []
    assert (len(days(["1970-01-01", "2026-01-01"])), days(["1970-01-01", "2026-01-01"])[-1]) == (
        366,
        "2026-01-01",
    )


def test_a_day_of_the_far_future_hides_no_other() -> None:
    assert days(["2024-02-28", "2220-05-05", "2024-02-29"]) == ["2024-02-28", "2024-02-29"]
    assert days(["2220-05-05"]) == ["2220-05-05"]


def test_bars_stand_on_one_another() -> None:
    counts = {
        ("2024-10-04", "passed"): 30,
        ("2024-10-04", "failed"): 10,
        ("2024-10-06", "passed"): 4,
    }
    text = "".join(bars("By day", {"passed": "#0a0", "failed": "#a00"}, counts))
    found = re.findall(r'y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="(#\w+)"', text)
    assert found == [
        ("62.5", "157.5", "#0a0"),
        ("10.0", "52.5", "#a00"),
        ("199.0", "21.0", "#0a0"),
    ]
    assert "<title>2024-10-04: 30 passed</title>" in text
    assert text.count("<text") == 3 + 3
    ElementTree.fromstring(text)


def test_nothing_is_a_chart_too() -> None:
    assert ElementTree.fromstring("".join(bars("None", {}, {}))).tag == "svg"


def test_texts_are_escaped() -> None:
    text = "".join(bars('"<x>', {"<script>": '"red'}, {("2024-10-04", "<script>"): 1}))
    assert "<script" not in text
    assert ElementTree.fromstring(text).get("aria-label") == '"<x>'
