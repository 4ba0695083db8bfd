"""Counts as text: the format of OpenMetrics 1.0, which Prometheus and node_exporter read.

Source: the specification at prometheus.io/docs/specs/om/open_metrics_spec.
"""

from collections.abc import Iterable, Iterator

from opensmtpd._counters.counts import OWN, Counts
from opensmtpd._counters.names import PLUGINS, PROCESSES, PROGRAMS, SMTPD, Metric
from opensmtpd.mail.metrics.programs import Programs
from opensmtpd.mail.metrics.sessions import Histogram, SessionCounts, histograms_of

TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
"""The media type."""
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def exposition(sessions: SessionCounts, programs: Programs) -> bytes:
    """Return all metrics."""
    lines: list[str] = []
    for metric in SMTPD:
        lines += head(metric)
        if metric.kind == "histogram":
            for direction, histogram in histograms_of(sessions, metric):
                lines += _buckets(metric.name, {"direction": direction}, histogram)
        else:
            lines += _cells(metric, sessions.counts)
    totals = programs.totals()
    for metric in PLUGINS:
        lines += head(metric)
        for program in PROGRAMS:
            if program in totals:
                lines += _plugin_cells(metric, program, totals[program])
    lines += head(PROCESSES)
    for program, number in programs.running.items():
        lines.append(sample(PROCESSES.name, {"program": program}, number))
    return "\n".join([*lines, "# EOF\n"]).encode("utf-8")


def head(metric: Metric) -> Iterator[str]:
    """Yield the lines that describe a metric."""
    yield f"# TYPE {metric.name} {metric.kind}"
    yield f"# HELP {metric.name} {escaped(metric.help)}"


def sample(name: str, labels: dict[str, str], value: float) -> str:
    """Return the line of a sample."""
    pairs = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}"


def escaped(text: str) -> str:
    """Return the text of a label or a help as it is written."""
    return text.translate(_ESCAPES)


def _suffix(metric: Metric) -> str:
    return "_total" if metric.kind == "counter" else ""


def _cells(metric: Metric, counts: Counts) -> Iterator[str]:
    for cell in metric.cells():
        labels = dict(zip(metric.labels, cell[1:], strict=True))
        yield sample(metric.name + _suffix(metric), labels, counts.values[counts.index[cell]])


def _plugin_cells(metric: Metric, program: str, values: list[int]) -> Iterator[str]:
    """Yield the samples of a program: of a metric with labels, only what it has counted.

    A filter answers no lookups, and a table signs nothing.
    """
    for cell in metric.cells():
        value = values[OWN.index[cell]]
        if value or not metric.labels:
            labels = {"program": program, **dict(zip(metric.labels, cell[1:], strict=True))}
            yield sample(metric.name + _suffix(metric), labels, value)


def _buckets(name: str, labels: dict[str, str], histogram: Histogram) -> Iterable[str]:
    total = 0
    bounds = [*map(float, histogram.bounds), float("inf")]
    for bound, number in zip(bounds, histogram.counts, strict=True):
        total += number
        le = "+Inf" if bound == float("inf") else str(bound)
        yield sample(f"{name}_bucket", {**labels, "le": le}, total)
    yield sample(f"{name}_count", labels, total)
    yield sample(f"{name}_sum", labels, histogram.sum)
