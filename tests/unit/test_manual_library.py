"""opensmtpd(3) names what the library has, no more and no less, and its programs run."""

import inspect
from dataclasses import fields
from typing import Any

import pytest

from lab.shows import manual
from opensmtpd._protocol.filter import wire
from opensmtpd._protocol.filter.registration import handler_name
from opensmtpd.dns import RecordType
from opensmtpd.filter import Filter, decisions, events
from opensmtpd.filter.session import REPORT_OF
from opensmtpd.table import Service, Table
from opensmtpd.testing import Outcome, ask, run_message

PAGE = (manual.PAGES / "opensmtpd.3").read_text()
SECTIONS = manual.sections(PAGE)
PARTS = manual.subsections(SECTIONS["DESCRIPTION"])
PROGRAMS = [
    display.text for display in manual.displays(SECTIONS["EXAMPLES"]) if display.kind == "python"
]


def words(source: str, macro: str) -> list[str]:
    """Return the words that stand alone behind a macro: ``.Va rdns , address .``"""
    lines = [line for line in source.splitlines() if line.startswith(f".{macro} ")]
    return [word for line in lines for word in line.split()[1:] if word not in (",", ".", "and")]


def listed(part: str, macro: str) -> list[str]:
    """Return the names that the items of a subsection are about: ``.It Va verb , identity``."""
    heads = [head.split() for head in manual.items(PARTS[part])]
    heads = [rest[:1] if macro == "Fn" else rest for first, *rest in heads if first == macro]
    return [word for head in heads for word in head if word != ","]


def event_fields(event: Any) -> list[str]:
    """Return what an event tells, but for its time."""
    return [name for name in event._fields if name != "time"]


REQUESTS = {handler_name(phase): phase for phase in wire.REQUESTS}
REPORTS = {handler_name(report): made for report, (made, _) in wire.REPORTS.items()}


def test_all_handlers_and_decisions_are_listed() -> None:
    assert listed("Filters", "Fn") == [*REQUESTS, "Reject", "Disconnect", "Rewrite"]
    assert listed("Filters", "Dv") == ["PROCEED", "JUNK"]
    assert listed("Reports", "Fn") == list(REPORTS)


@pytest.mark.parametrize(("handler", "phase"), REQUESTS.items())
def test_a_request_has_these_fields_and_decisions(handler: str, phase: str) -> None:
    text = manual.items(PARTS["Filters"])[f"Fn {handler}"]
    event = events.Helo if phase == "ehlo" else wire.REQUESTS[phase][0]
    assert words(text, "Va") == event_fields(event)
    assert set(words(text, "Cm")) == {kind.__name__ for kind in decisions.LEGAL[phase]}


@pytest.mark.parametrize(("handler", "event"), REPORTS.items())
def test_a_report_has_these_fields(handler: str, event: Any) -> None:
    assert words(manual.items(PARTS["Reports"])[f"Fn {handler}"], "Va") == event_fields(event)


def test_decisions_take_these_arguments() -> None:
    for name in ("Reject", "Disconnect", "Rewrite"):
        taken = inspect.signature(getattr(decisions, name)).parameters
        assert f"Fn {name} {' '.join(taken)}" in manual.items(PARTS["Filters"])


def test_a_session_has_these_attributes() -> None:
    assert set(listed("Sessions", "Va")) == set(REPORT_OF)


def test_all_other_methods_are_named() -> None:
    assert public(Filter) - set(PAGE.split()) == set()
    assert public(Table) - set(PARTS["Tables"].split()) == set()


def public(kind: type) -> set[str]:
    """Return what a class has for those who inherit from it."""
    return {name for name in vars(kind) if not name.startswith("_")}


def test_tables_have_these_services() -> None:
    assert listed("Tables", "Dv") == [service.name for service in Service]


def test_the_dns_has_these_kinds() -> None:
    assert [word for word in words(PARTS["The DNS"], "Dv") if word.isupper()] == list(RecordType)


def test_a_message_can_be_run_like_this() -> None:
    taken = set(inspect.signature(run_message).parameters) - {"filter", "message"}
    assert set(words(PARTS["Testing"], "Ar")) == taken
    given = {field.name for field in fields(Outcome)}
    assert set(words(PARTS["Testing"], "Va")) == given


def test_what_the_synopsis_imports_is_there() -> None:
    (display,) = manual.displays(SECTIONS["SYNOPSIS"])
    exec(compile(display.text, "SYNOPSIS", "exec"), {})


def run(*texts: str) -> dict[str, Any]:
    """Run programs as modules, one after the other in the same names."""
    names: dict[str, Any] = {"__name__": "example"}
    for text in texts:
        exec(compile(text, "opensmtpd.3", "exec"), names)
    return names


def test_the_filters_pass_the_tests_behind_them() -> None:
    assert run(*PROGRAMS[0:2])["outcome"].accepted is False
    assert len(run(*PROGRAMS[2:4])["zone"].asked) > 2


def test_the_table_answers(tmp_path: Any) -> None:
    names = run(PROGRAMS[4])
    (tmp_path / "aliases").write_text('{"sales": ["alice", "bob"]}')
    flags = names["options"].table_parser("table-json", "").parse_args([str(tmp_path / "aliases")])
    table = names["Json"](flags)
    assert ask(table, "lookup", "alias", "Sales") == ("found", "alice, bob")
    (tmp_path / "aliases").write_text("{")
    assert ask(table, "update").result == "error"
    assert ask(table, "lookup", "alias", "sales") == ("found", "alice, bob")


def test_no_program_is_left_out() -> None:
    assert len(PROGRAMS) == 5
