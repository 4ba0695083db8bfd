"""Sums of many reports, in bounded memory."""

import pytest

from opensmtpd.mail.dmarc.reports.parser import ReadReport, parse
from opensmtpd.mail.dmarc.reports.record import SignatureOutcome
from opensmtpd_cli.commands.dmarc import summary as summary_module
from opensmtpd_cli.commands.dmarc.summary import Group, SourceDay, Summary
from unit.support.dmarc_documents import RFC_7489
from unit.support.dmarc_messages import PASSED, SPARED

REPORT = ReadReport("A", "a@a.example", "1", 1728000000, 1728086399, "example.com", {}, [])


def report(id: str = "1", *rows: object, begin: int = 1728000000) -> ReadReport:
    return REPORT._replace(id=id, begin=begin, rows=list(rows))  # type: ignore[arg-type]


def test_rows_of_all_reports_are_summed() -> None:
    summary = Summary()
    assert summary.add("a", report("1", (3, PASSED), (1, SPARED)))
    assert summary.add("b", report("2", (4, PASSED), begin=1728086400))
    passed = Group(
        "192.0.2.1", "example.com", "pass", "pass", "fail",
        "example.com=pass list.example=fail", "bounces.example.net=pass",
    )  # fmt: skip
    spared = Group(
        "2001:db8::1", "news.example.com", "none", "fail", "fail", "", "news.example.com=softfail"
    )
    assert summary.rows() == [(7, passed), (1, spared)]
    assert summary.days == {
        SourceDay("2024-10-04", "192.0.2.1", True): 3,
        SourceDay("2024-10-04", "2001:db8::1", False): 1,
        SourceDay("2024-10-05", "192.0.2.1", True): 4,
    }
    assert [summary.messages(), summary.messages(True), summary.messages(False)] == [8, 7, 1]
    assert [(each.file, each.messages, each.report.rows) for each in summary.reports] == [
        ("a", 4, []),
        ("b", 4, []),
    ]


def test_a_report_counts_once() -> None:
    summary = Summary()
    assert summary.add("a", report("1", (3, PASSED)))
    assert not summary.add("b", report("1", (3, PASSED)))
    assert summary.add("c", report("1", (3, PASSED), begin=1))
    assert summary.messages() == 6


def test_spf_of_helo_is_not_shown() -> None:
    summary = Summary()
    summary.add("a", parse(RFC_7489))
    assert [group.envelope for group in summary.groups] == ["example.com=pass"]


def test_some_signatures_are_shown() -> None:
    summary = Summary()
    many = tuple(SignatureOutcome(f"{number}.example", "s", "fail") for number in range(9))
    summary.add("a", report("1", (1, PASSED._replace(signatures=many))))
    ((_, group),) = summary.rows()
    assert group.signatures == "0.example=fail 1.example=fail 2.example=fail ..."


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary_module, "GROUPS_MAX", 2)
    summary = Summary()
    rows = [(1, PASSED._replace(source=f"192.0.2.{number}")) for number in range(5)]
    summary.add("a", report("1", *rows))
    assert [(count, group.source) for count, group in summary.rows()] == [
        (3, "others"),
        (1, "192.0.2.0"),
        (1, "192.0.2.1"),
    ]
    assert summary.days[SourceDay("2024-10-04", "others", True)] == 3
    assert summary.messages() == 5
