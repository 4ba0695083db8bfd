"""opensmtpd(3) names what the library has, no more and no less, and its programs run."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from itertools import chain
from typing import Any, Literal, get_origin, get_type_hints

import pytest

from lab.shows import manual
from opensmtpd._protocol.filter import wire
from opensmtpd.dns import RecordType
from opensmtpd.errors import ConfigError
from opensmtpd.filter import (
    EditedMessage,
    Field,
    Filter,
    HeldMessage,
    Session,
    StreamedMessage,
    decisions,
    events,
)
from opensmtpd.filter.decisions import handler_name
from opensmtpd.table import Service, Table
from opensmtpd.testing import Outcome, ask, run_message
from unit.support.public_names import CHANGING, MODULES, PUBLIC, top_level

PAGE = (manual.PAGES / "opensmtpd.3").read_text()
SECTIONS = manual.sections(PAGE)
DESCRIPTION = SECTIONS["DESCRIPTION"]
PARTS = manual.subsections(DESCRIPTION)
PROGRAMS = [
    display.text for display in manual.displays(SECTIONS["EXAMPLES"]) if display.kind == "python"
]
WHOLE = {"opensmtpd.options", "opensmtpd.run"}
"""Modules that are imported whole, so that their names stand behind ``options.`` and ``run.``."""
OTHERS = {"Any", "Exception", "False", "None", "SIGHUP", "SIGKILL", "argparse.ArgumentParser",
          "bool", "bytes", "float", "int", "list[bytes]", "str", "|", "path"}  # fmt: skip
"""Words behind Vt, Dv, Fn and Va that are not the library's: of Python, Unix, and options."""


def words(source: str, macro: str) -> list[str]:
    """Return the words that stand alone behind a macro: ``.Va rdns , address .``"""
    lines = [line for line in source.splitlines() if line.startswith(f".{macro} ")]
    return [word for line in lines for word in line.split()[1:] if word not in (",", ".", "and")]


def listed(part: str, macro: str) -> list[str]:
    """Return the names that the items of a subsection are about: ``.It Va verb , identity``."""
    heads = [head.split() for head in manual.items(PARTS[part])]
    heads = [rest[:1] if macro == "Fn" else rest for first, *rest in heads if first == macro]
    return [word for head in heads for word in head if word != ","]


def shown(annotation: Any) -> str:
    """Return a type as the page shows it."""
    if get_origin(annotation) is Literal:
        return "str"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def event_line(event: Any) -> str:
    """Return the line that shows an event with its fields, but for its time."""
    hints = get_type_hints(event)
    taken = [f' "{name}: {shown(hints[name])}"' for name in event._fields if name != "time"]
    return f".Fn {event.__name__}{''.join(taken)}"


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
    assert f"{event_line(event)} ." in text.splitlines()
    assert set(words(text, "Cm")) == {kind.__name__ for kind in decisions.LEGAL[phase]}


@pytest.mark.parametrize(("handler", "event"), REPORTS.items())
def test_a_report_has_these_fields(handler: str, event: Any) -> None:
    text = manual.items(PARTS["Reports"])[f"Fn {handler}"]
    assert f"{event_line(event)} ." in text.splitlines()


def test_decisions_take_these_arguments() -> None:
    for name in ("Reject", "Disconnect", "Rewrite"):
        taken = inspect.signature(getattr(decisions, name)).parameters.values()
        shows = " ".join(f'"{each.name}: {shown(each.annotation)}"' for each in taken)
        assert f"Fn {name} {shows}" in manual.items(PARTS["Filters"])


def test_a_session_has_these_attributes() -> None:
    heads = manual.items(PARTS["Sessions"])
    hints = get_type_hints(Session)
    assert set(heads) == {f"Va {name} : Vt {shown(kind)}" for name, kind in hints.items()}


def test_all_other_methods_are_named() -> None:
    assert public(Filter) - set(PAGE.split()) == set()
    assert public(Table) - set(PARTS["Tables"].split()) == set()
    assert public(StreamedMessage) - set(PARTS["Messages"].split()) == set()


def test_an_edited_message_has_these_fields_and_edits() -> None:
    edits = public(EditedMessage) - public(HeldMessage)
    assert set(listed("Messages", "Va")) | set(listed("Messages", "Fn")) == edits
    for name in edits - {"fields"}:
        _, *taken = inspect.signature(getattr(EditedMessage, name)).parameters
        assert " ".join(["Fn", name, *taken]) in manual.items(PARTS["Messages"])
    assert set(words(manual.items(PARTS["Messages"])["Va fields"], "Va")) == public(Field)


def public(kind: type) -> set[str]:
    """Return what a class has for those who inherit from it."""
    return {name for name in vars(kind) if not name.startswith("_")}


def test_tables_have_these_services() -> None:
    assert listed("Tables", "Dv") == [service.name for service in Service]


def test_the_dns_has_these_kinds() -> None:
    kinds = [word for word in words(PARTS["The DNS"], "Dv") if word.isupper()]
    assert [word for word in kinds if word != "NAME_MAX"] == list(RecordType)


def test_a_message_can_be_run_like_this() -> None:
    taken = set(inspect.signature(run_message).parameters) - {"filter", "message"}
    assert set(words(PARTS["Testing"], "Ar")) == taken
    given = {field.name for field in fields(Outcome)}
    assert set(words(PARTS["Testing"], "Va")) == given


# --- the names ------------------------------------------------------------------------------------


def test_the_public_modules_are_those_that_are_not_private() -> None:
    top = {name for name in MODULES if name.count(".") == 1}
    assert top_level() == top | {f"opensmtpd.{name}" for name in CHANGING}


def test_the_synopsis_imports_each_public_name_and_no_other() -> None:
    (display,) = manual.displays(SECTIONS["SYNOPSIS"])
    imported = {
        node.module: [alias.name for alias in node.names]
        for node in ast.parse(display.text).body
        if isinstance(node, ast.ImportFrom)
    }
    assert imported.pop("opensmtpd") == ["options", "run"]  # whose names have theirs in front
    assert imported == {name: names for name, names in PUBLIC.items() if name not in WHOLE}
    exec(compile(display.text, "SYNOPSIS", "exec"), {})


@pytest.mark.parametrize("module", MODULES)
def test_each_public_name_is_there(module: str) -> None:
    assert PUBLIC[module] == sorted(
        PUBLIC[module], key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert [name for name in PUBLIC[module] if not hasattr(import_module(module), name)] == []


def described(source: str) -> Iterator[tuple[str, str]]:
    """Yield the names that stand behind macros in the text: macro and name, without arguments."""
    for line in source.splitlines():
        macro, _, rest = line.removeprefix(".It ").removeprefix(".").partition(" ")
        if macro == "Fn":
            yield macro, rest.split()[0]
        elif macro in ("Vt", "Dv", "Va", "Cm"):
            text = rest.replace(": Vt ", "").replace("| ", "")
            yield from ((macro, word) for word in text.split() if word not in (",", ".", ";", ":"))


NAMED = list(described(DESCRIPTION))


@pytest.mark.parametrize("module", MODULES)
def test_each_public_name_is_described(module: str) -> None:
    front = f"{module.rpartition('.')[2]}." if module in WHOLE else ""
    assert {f"{front}{name}" for name in PUBLIC[module]} - {name for _, name in NAMED} == set()


def attributes(kind: type) -> Iterator[str]:
    """Yield the names of a class's methods, fields and attributes, those set in __init__, too."""
    yield from (name for name in dir(kind) if not name.startswith("_"))
    for each in kind.__mro__:
        if each.__module__.startswith("opensmtpd"):
            yield from inspect.get_annotations(each)
            for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(each)))):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    yield node.attr


MADE = {
    (module, name): getattr(import_module(module), name)
    for module in MODULES
    for name in PUBLIC[module]
}
KINDS = [each for each in MADE.values() if isinstance(each, type)]
EVENTS = [each for each in KINDS if hasattr(each, "_fields") and each.__module__ == events.__name__]


def test_each_name_on_the_page_is_there() -> None:
    known = {name for _, name in MADE} | OTHERS
    known |= {f"{module.rpartition('.')[2]}.{name}" for module, name in MADE if module in WHOLE}
    known |= set(chain.from_iterable(map(attributes, KINDS)))
    assert sorted({name for _, name in NAMED} - known) == []


def parameters(name: str) -> Iterator[list[str]]:
    """Yield what the public functions and methods of this name take; events have their own test."""
    called = [
        made
        for (module, short), made in MADE.items()
        if name in (short, f"{module.rpartition('.')[2]}.{short}") and made not in EVENTS
    ]
    called += [getattr(kind, name) for kind in KINDS if hasattr(kind, name)]
    for each in called:
        if getattr(each, "__module__", "").startswith("opensmtpd"):
            yield [word for word in inspect.signature(each).parameters if word != "self"]


def test_each_function_takes_the_arguments_that_the_page_shows() -> None:
    checked = set()
    for line in re.findall(r"^\.(?:It )?Fn (.+)$", DESCRIPTION, re.MULTILINE):
        name, *given = re.findall(r'"[^"]*"|[^" ]+', line)
        taken = [word.strip('"*').partition(":")[0] for word in given if word not in ",.:;"]
        if taken and name not in {event.__name__ for event in EVENTS}:
            assert taken in [found[: len(taken)] for found in parameters(name)], line
            checked.add(name)
    assert {"log", "run_lookup", "Smtpd", "ask", "replay", "TableFile", "run.filter"} <= checked


def test_the_modules_on_the_page_are_public() -> None:
    named = set(re.findall(r"^\.Li (opensmtpd\.\S+)", DESCRIPTION, re.MULTILINE))
    assert named - {f"opensmtpd.{name}" for name in CHANGING} <= set(MODULES)


# --- the programs ---------------------------------------------------------------------------------


def run(*texts: str) -> dict[str, Any]:
    """Run programs as modules, one after the other in the same names."""
    names: dict[str, Any] = {"__name__": "example"}
    for text in texts:
        exec(compile(text, "opensmtpd.3", "exec"), names)
    return names


def test_the_filters_pass_the_tests_behind_them() -> None:
    assert run(*PROGRAMS[0:2])["outcome"].accepted is False
    names = run(*PROGRAMS[2:4])
    zone = names["zone"]
    assert len(zone.asked) > 2
    names["HeloName"](zone).reload()
    names["HeloName"](zone).stop()
    assert (zone.reread, zone.saved) == (1, 1)


def test_the_steps_are_steps_of_the_model() -> None:
    (display,) = manual.displays(PARTS["Testing in steps"])
    names = run(PROGRAMS[0], display.text)
    assert names["smtpd"].phases == {"data-line", "commit"}


def test_the_table_answers(tmp_path: Any) -> None:
    names = run(PROGRAMS[4])
    (tmp_path / "aliases").write_text('{"sales": ["alice", "bob"]}')
    flags = names["options"].table_parser("table-json", "").parse_args([str(tmp_path / "aliases")])
    table = names["Json"](flags)
    assert ask(table, "lookup", "alias", "Sales") == ("found", "alice, bob")
    (tmp_path / "aliases").write_text("{")
    assert ask(table, "update").result == "error"
    assert ask(table, "lookup", "alias", "sales") == ("found", "alice, bob")
    flags.path = str(tmp_path / "missing")
    with pytest.raises(ConfigError) as caught:
        names["Json"](flags)
    assert str(caught.value) == f"{flags.path}: No such file or directory"


def test_no_program_is_left_out() -> None:
    assert len(PROGRAMS) == 5
