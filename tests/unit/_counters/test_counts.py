"""Counts by cell."""

from opensmtpd._counters.counts import OWN, Counts
from opensmtpd._counters.names import SMTPD, Metric

METRIC = Metric("colours", "counter", "Colours.", {"one": ("red", "blue"), "other": ("red",)})


def test_a_place_for_each_cell() -> None:
    counts = Counts([METRIC, Metric("bare", "counter", "Nothing.")])
    assert counts.index == {
        ("colours", "red", "red"): 0,
        ("colours", "blue", "red"): 1,
        ("bare",): 2,
    }
    counts.add("colours", "blue", "red")
    counts.add("bare", by=7)
    counts.add("bare", by=-2)
    assert counts.values == [0, 1, 5]


def test_what_does_not_exist_is_ignored() -> None:
    counts = Counts([METRIC])
    counts.add("colours", "client.example.org", "red")
    counts.add("colours")
    counts.add("unknown")
    assert counts.values == [0, 0]


def test_the_counts_of_smtpd_are_others() -> None:
    own = {cell[0] for cell in OWN.index}
    assert all(name.startswith("opensmtpd_plugin_") for name in own)
    assert not own & {metric.name for metric in SMTPD}
