"""Each manual page, its --help and its parser know the same options; pages are sound mdoc(7)."""

import argparse
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import click
import pytest

from lab.shows import manual
from lab.shows.manual import PAGES
from opensmtpd import options
from opensmtpd_cli.main import main as operator
from opensmtpd_filters import (
    archive,
    auth,
    dkimsign,
    dnsbl,
    greylist,
    headers,
    limit,
    metrics,
    milter,
    rdns,
    rspamd,
    senderscore,
)
from opensmtpd_filters import record as filter_record
from opensmtpd_tables import dovecot, flat, ldap, mysql, passwd, postgres, redis, socketmap, sqlite
from opensmtpd_tables import record as table_record

Parser = Callable[[], argparse.ArgumentParser]
OPERATOR = "opensmtpd-plugins.8"
PARSERS: dict[str, Parser] = {
    "filter-archive.8": archive.parser,
    "filter-auth.8": auth.parser,
    "filter-dkimsign.8": dkimsign.parser,
    "filter-dnsbl.8": dnsbl.parser,
    "filter-fcrdns.8": partial(rdns.parser, "filter-fcrdns"),
    "filter-greylist.8": greylist.parser,
    "filter-headers.8": headers.parser,
    "filter-limit.8": limit.parser,
    "filter-metrics.8": metrics.parser,
    "filter-milter.8": milter.parser,
    "filter-rdns.8": rdns.parser,
    "filter-record.8": filter_record.parser,
    "filter-rspamd.8": rspamd.parser,
    "filter-senderscore.8": senderscore.parser,
    "table-dovecot.5": dovecot.parser,
    "table-flat.5": flat.parser,
    "table-ldap.5": ldap.parser,
    "table-mysql.5": mysql.parser,
    "table-passwd.5": passwd.parser,
    "table-postgres.5": postgres.parser,
    "table-record.5": table_record.parser,
    "table-redis.5": redis.parser,
    "table-socketmap.5": socketmap.parser,
    "table-sqlite.5": sqlite.parser,
}
SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "FILES", "EXIT STATUS", "EXAMPLES", "DIAGNOSTICS",
            "SEE ALSO", "STANDARDS", "CAVEATS")  # fmt: skip
"""In the order of mandoc's style guide. DIAGNOSTICS is for those who have a log of their own."""
LEFT_OUT = {
    ("opensmtpd.3", "FILES"): "a library has none of its own",
    ("smtpd-plugins.7", "SYNOPSIS"): "it is about no program",
    ("smtpd-plugins.7", "EXIT STATUS"): "it is about no program",
    ("table-passwd.5", "STANDARDS"): "passwd(5) is in no standard",
    ("table-socketmap.5", "STANDARDS"): "socketmap is in no standard",
}
"""Sections that a page has no use for, and why."""
FOREIGN = frozenset([
    "find.1", "grep.1", "openssl.1", "patch.1", "ps.1", "sh.1", "sqlite3.1",
    "crypt.3", "syslog.3",
    "aliases.5", "passwd.5", "resolv.conf.5", "smtpd.conf.5", "table.5",
    "cron.8", "sendmail.8", "smtpctl.8", "smtpd.8", "unbound.8",
])  # fmt: skip
"""Pages of others that ours refer to."""

each_page = pytest.mark.parametrize("page", sorted(path.name for path in PAGES.iterdir()))
each_program = pytest.mark.parametrize(("page", "parser"), PARSERS.items())


def source(page: str) -> str:
    return (PAGES / page).read_text()


def known(parser: argparse.ArgumentParser) -> set[str]:
    """The parser's options, without the dash that Fl puts in front."""
    return {
        option.removeprefix("-") for action in parser._actions for option in action.option_strings
    }


def explained(page: str) -> set[str]:
    """The options that begin an item of a list on the page."""
    words = [word for head in manual.items(source(page)) for word in head.split()]
    return {flag for macro, flag in pairwise(words) if macro == "Fl"}


def flags(synopsis: str) -> set[str]:
    """The options of a synopsis: ``Fl nV`` are two."""
    found = re.findall(r"\bFl ([\w-]+)", synopsis)
    return {each for flag in found for each in ([flag] if flag.startswith("-") else flag)}


# --- options --------------------------------------------------------------------------------------


@each_program
def test_the_page_explains_each_option_and_no_other(page: str, parser: Parser) -> None:
    assert explained(page) == known(parser())
    assert {"n", "-check", "h", "-help", "V", "-version"} <= known(parser())


@each_program
def test_help_explains_each_option_and_no_other(page: str, parser: Parser) -> None:
    shown = re.findall(r"^  (-.*?)(?:  |$)", parser().format_help(), re.MULTILINE)
    spelled = {part.split()[0].removeprefix("-") for line in shown for part in line.split(", ")}
    assert spelled == known(parser())


@each_program
def test_the_synopsis_has_each_option_in_one_spelling_and_no_other(
    page: str, parser: Parser
) -> None:
    shown = flags(manual.sections(source(page))["SYNOPSIS"])
    assert shown - known(parser()) == set()
    for action in parser()._actions:
        spellings = {option.removeprefix("-") for option in action.option_strings}
        # A bare word does what --list does, and what asks for help needs no synopsis.
        assert not spellings or spellings & (shown | {"-help", "-list"})


def test_the_introduction_explains_what_all_filters_have() -> None:
    # -h is not help to each: filter-dkimsign has headers there, as in C.
    assert explained("smtpd-plugins.7") == known(options.filter_parser("", "")) - {"h"}


# --- the operator's commands ----------------------------------------------------------------------


def commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield each command that has none below it, as one types it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        whole = f"{above} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, whole)
        else:
            yield whole, command


COMMANDS = dict(commands(operator))


def spelled(command: click.Command) -> set[str]:
    """The options of a command, as they stand behind Fl."""
    return {
        option.removeprefix("-")
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }


def synopsis() -> dict[str, set[str]]:
    """The options in the synopsis by command; some have several lines, some share one."""
    found: dict[str, set[str]] = {}
    for usage in manual.sections(source(OPERATOR))["SYNOPSIS"].split(".Nm\n")[1:]:
        names = re.findall(r"^\.Cm (.*)$", usage, re.MULTILINE)
        for name in names[0].split(" | "):
            found.setdefault(name, set()).update(flags(usage) - {"-quiet"})
    return found


def test_the_synopsis_has_each_command() -> None:
    assert sorted(synopsis()) == sorted(COMMANDS)


@pytest.mark.parametrize(("name", "command"), COMMANDS.items())
def test_the_synopsis_has_the_options_of_a_command(name: str, command: click.Command) -> None:
    assert synopsis()[name] == spelled(command) - {"-quiet"}


@pytest.mark.parametrize(("name", "command"), COMMANDS.items())
def test_help_has_the_options_of_a_command(name: str, command: click.Command) -> None:
    shown = command.get_help(click.Context(command, info_name=name))
    heads = [line.partition("  ")[0] for line in re.findall(r"^  (-.*)", shown, re.MULTILINE)]
    found = {each for head in heads for each in re.findall(r"(?:^|, |/ )-(-?[\w-]+)", head)}
    assert found == spelled(command) | {"-help"}


def test_the_operators_page_explains_each_option_and_no_other() -> None:
    text = source(OPERATOR).partition(".Sh DESCRIPTION")[2]
    named = set(re.findall(r"\bFl (-[a-z-]+)", text))
    named |= set(re.findall(r"(?m)^\.It Fl ([a-z])$", text))
    assert named == set().union(spelled(operator), *map(spelled, COMMANDS.values())) | {"-help"}


# --- the pages ------------------------------------------------------------------------------------


def test_all_pages_are_looked_at() -> None:
    pages = {path.name for path in PAGES.iterdir()}
    assert pages == {*PARSERS, OPERATOR, "opensmtpd.3", "smtpd-plugins.7"}


def test_a_page_that_is_a_link_names_what_it_stands_for() -> None:
    assert (PAGES / "filter-fcrdns.8").readlink() == Path("filter-rdns.8")
    assert ".Nm filter-fcrdns\n" in manual.sections(source("filter-rdns.8"))["NAME"]


@each_page
def test_the_sections_are_those_of_a_page_in_their_order(page: str) -> None:
    page = (PAGES / page).resolve().name
    found = list(manual.sections(source(page)))
    optional = {name for other, name in LEFT_OUT if other == page} | {"DIAGNOSTICS"}
    assert found == [name for name in SECTIONS if name in found or name not in optional]


def test_no_section_is_left_out_that_is_there() -> None:
    assert [each for each in LEFT_OUT if each[1] in manual.sections(source(each[0]))] == []


@each_page
def test_the_sections_that_the_page_refers_to_are_there(page: str) -> None:
    lines = source(page).splitlines()
    titles = {line[4:].strip('"') for line in lines if line.startswith((".Sh ", ".Ss "))}
    named = {line[4:].removesuffix(" .") for line in lines if line.startswith(".Sx ")}
    assert named - titles == set()


@each_page
def test_the_page_leads_to_the_introduction(page: str) -> None:
    parts = manual.sections(source(page))
    seen = set(re.findall(r"^\.Xr (\S+) (\d)", parts["SEE ALSO"], re.MULTILINE))
    if page == "smtpd-plugins.7":
        assert {f"{name}.{section}" for name, section in seen} >= {
            path.name for path in PAGES.iterdir() if path.name != page
        }
    else:
        assert ("smtpd-plugins", "7") in seen
        assert ".Xr smtpd-plugins 7\n" in parts["CAVEATS"]  # for smtpd's changes and versions


@each_page
def test_the_date_is_one(page: str) -> None:
    (date,) = re.findall(r"^\.Dd (.*)$", source(page), re.MULTILINE)
    assert datetime.strptime(date, "%B %d, %Y").year >= 2026


@each_page
def test_each_page_that_it_refers_to_exists(page: str) -> None:
    named = {f"{name}.{section}" for name, section in re.findall(r"\bXr (\S+) (\d)", source(page))}
    assert named - {path.name for path in PAGES.iterdir()} - FOREIGN == set()


@each_page
def test_mandoc_has_nothing_to_say(page: str) -> None:
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        assert not os.environ.get("CI"), "mandoc can be installed"
        pytest.skip("mandoc is not installed")
    found = subprocess.run(
        [mandoc, "-Tlint", PAGES / page], capture_output=True, text=True, check=False
    )
    # Which pages this machine has is no matter of ours.
    said = re.compile(r"referenced manual not found|outdated mandoc\.db lacks")
    lines = (found.stdout + found.stderr).splitlines()
    assert [line for line in lines if not said.search(line)] == []
