"""The text, as the official parser of OpenMetrics reads it."""

import fcntl
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from opensmtpd._counters import record
from opensmtpd._counters.counts import OWN
from opensmtpd._counters.names import PLUGINS, PROCESSES, SMTPD, Metric
from opensmtpd.filter import LinkConnect, LinkDisconnect, Session
from opensmtpd.mail.metrics.exposition import exposition, head, sample
from opensmtpd.mail.metrics.programs import Programs
from opensmtpd.mail.metrics.sessions import SessionCounts
from unit.support.openmetrics import parsed


def families(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the samples of each family, by suffix and values of labels."""
    return {
        family.name: {
            (each.name.removeprefix(family.name), *each.labels.values()): each.value
            for each in family.samples
        }
        for family in parsed(text)
    }


def test_nothing_has_happened() -> None:
    text = exposition(SessionCounts(), Programs()).decode()
    assert text.endswith("\n# EOF\n")
    found = families(text)
    assert list(found) == [metric.name for metric in (*SMTPD, *PLUGINS, PROCESSES)]
    assert found["opensmtpd_timeouts"] == {("_total", "in"): 0, ("_total", "out"): 0}
    assert found["opensmtpd_open_sessions"] == {("", "in"): 0, ("", "out"): 0}
    assert found["opensmtpd_plugin_decisions"] == {}


def test_types_and_help() -> None:
    text = exposition(SessionCounts(), Programs()).decode()
    described = {each.name: each for each in parsed(text)}
    for metric in (*SMTPD, *PLUGINS, PROCESSES):
        assert described[metric.name].type == metric.kind
        assert described[metric.name].documentation == metric.help


def test_histograms() -> None:
    counts = SessionCounts()
    for seconds in (0.05, 0.3, 4000.0):
        session = Session("1")
        counts.connect(session, LinkConnect(0.0, b"", "fail", b"", b""))
        counts.disconnect(session, LinkDisconnect(seconds))
    found = families(exposition(counts, Programs()).decode())["opensmtpd_session_duration_seconds"]
    assert {place: value for place, value in found.items() if place[1] == "in"} == {
        ("_bucket", "in", "0.1"): 1,
        ("_bucket", "in", "0.5"): 2,
        ("_bucket", "in", "1.0"): 2,
        ("_bucket", "in", "5.0"): 2,
        ("_bucket", "in", "10.0"): 2,
        ("_bucket", "in", "30.0"): 2,
        ("_bucket", "in", "60.0"): 2,
        ("_bucket", "in", "300.0"): 2,
        ("_bucket", "in", "1800.0"): 2,
        ("_bucket", "in", "+Inf"): 3,
        ("_count", "in"): 3,
        ("_sum", "in"): 4000.35,
    }


def test_programs(folder: Path) -> None:
    values = [0] * len(OWN.values)
    values[OWN.index["opensmtpd_plugin_decisions", "connect", "junk"]] = 7
    values[OWN.index["opensmtpd_plugin_failures",]] = record.NUMBER_MAX
    programs = Programs()
    with open(folder / "filter-rdns.0", "wb", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(record.pack(1, values))
        programs.read()
        found = families(exposition(SessionCounts(), programs).decode())
    assert found["opensmtpd_plugin_decisions"] == {("_total", "filter-rdns", "connect", "junk"): 7}
    assert found["opensmtpd_plugin_failures"] == {("_total", "filter-rdns"): record.NUMBER_MAX}
    assert found["opensmtpd_plugin_worker_restarts"] == {("_total", "filter-rdns"): 0}
    assert found["opensmtpd_plugin_table_requests"] == {}
    assert found["opensmtpd_plugin_processes"] == {("", "filter-rdns"): 1}


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])).map(str.strip),
    st.integers(0, 1 << 70),
)
def test_any_text_in_a_label_or_a_help(label: str, text: str, value: int) -> None:
    metric = Metric("some", "counter", text)
    line = sample("some_total", {"label": label, "other": "x"}, value)
    (family,) = parsed("\n".join([*head(metric), line, "# EOF\n"]))
    assert family.documentation == text
    assert [(each.labels, each.value) for each in family.samples] == [
        ({"label": label, "other": "x"}, value)
    ]
