"""The names of all metrics."""

import re
from importlib.metadata import entry_points

from lab.shows import manual
from opensmtpd._counters.names import (
    PHASES,
    PLUGINS,
    PROCESSES,
    PROGRAMS,
    RESPONDING,
    SERVICES,
    SMTPD,
)
from opensmtpd._protocol.filter.wire import REQUESTS
from opensmtpd.table import Service

ALL = (*SMTPD, *PLUGINS, PROCESSES)
SERIES_MAX = 6000
"""Of a server that has all our programs, and each counts all that there is."""


def test_names_are_those_of_openmetrics() -> None:
    names = [metric.name for metric in ALL]
    assert len(set(names)) == len(names)
    for metric in ALL:
        assert re.fullmatch(r"opensmtpd_[a-z_]+[a-z]", metric.name)
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket", "_created"))
        assert metric.help.endswith(".")
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_labels_are_literal_sets() -> None:
    """So a client can make no series."""
    for metric in ALL:
        for label, values in metric.labels.items():
            assert re.fullmatch(r"[a-z]+", label)
            assert label not in ("le", "job", "instance")
            assert len(set(values)) == len(values)
            assert all(re.fullmatch(r"[A-Za-z0-9. -]+", value) for value in values)


def test_their_number_is_bounded() -> None:
    series = sum(len(list(metric.cells())) for metric in PLUGINS) * len(PROGRAMS)
    assert series + sum(len(list(metric.cells())) for metric in SMTPD) < SERIES_MAX


def test_the_page_lists_them_all() -> None:
    page = (manual.PAGES / "filter-metrics.8").read_text()
    text = {head: " ".join(body.split()) for head, body in manual.items(page).items()}
    assert [head for head in text if head.startswith("Li opensmtpd_")] == [
        f"Li {metric.name}" for metric in ALL
    ]
    for metric in ALL:
        labels = "; ".join(f"{name}: {', '.join(each)}" for name, each in metric.labels.items())
        more = f" Labels: {labels}." if labels else ""
        help = metric.help[0].lower() + metric.help[1:]
        assert text[f"Li {metric.name}"] == f"A {metric.kind}: {help}{more}"


def test_each_program_that_counts() -> None:
    scripts = {each.name for each in entry_points(group="console_scripts")}
    ours = {each for each in scripts if each.startswith(("filter-", "table-"))}
    assert {*PROGRAMS, "filter-record", "table-record"} == {*ours, "other"}
    assert len(set(PROGRAMS)) == len(PROGRAMS)


def test_each_phase_and_each_service() -> None:
    assert set(PHASES) == set(REQUESTS)
    assert set(RESPONDING) ^ set(PHASES) == {"connect", "connected", "starttls", "tls", "data-line"}
    assert set(SERVICES) == {*(each.value for each in Service), "unknown"}
