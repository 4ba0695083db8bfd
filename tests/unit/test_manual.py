"""Each manual page, its --help and its parser know the same options; pages are sound mdoc(7)."""

import argparse
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import click
import pytest

from opensmtpd.operator.cli import main as operator
from opensmtpd_filters import dkimsign, dnsbl, rdns
from opensmtpd_tables import flat, passwd, sqlite

PAGES = Path(__file__).parents[2] / "packaging" / "man"
PARSERS = {
    "filter-dkimsign.8": dkimsign.parser,
    "filter-dnsbl.8": dnsbl.parser,
    "filter-rdns.8": rdns.parser,
    "table-flat.5": flat.parser,
    "table-passwd.5": passwd.parser,
    "table-sqlite.5": sqlite.parser,
}


def known(parser: argparse.ArgumentParser) -> set[str]:
    """The parser's options, without the dash that Fl puts in front."""
    return {
        option.removeprefix("-") for action in parser._actions for option in action.option_strings
    }


def explained(page: str) -> set[str]:
    """The options that begin an item of a list on the page."""
    lines = (PAGES / page).read_text().splitlines()
    words = [word for line in lines if line.startswith(".It Fl ") for word in line.split()]
    return {flag for macro, flag in pairwise(words) if macro == "Fl"}


@pytest.mark.parametrize(("page", "parser"), PARSERS.items())
def test_the_page_explains_each_option_and_no_other(
    page: str, parser: Callable[[], argparse.ArgumentParser]
) -> None:
    assert explained(page) == known(parser())
    assert {"n", "-check", "h", "-help", "V", "-version"} <= known(parser())


def spelled(command: click.Command) -> set[str]:
    """The options of a command and of those below it, as they stand behind Fl."""
    found = {
        option.removeprefix("-")
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return found.union(*map(spelled, below))


def test_the_operators_page_names_each_option_and_no_other() -> None:
    text = (PAGES / "opensmtpd-plugins.8").read_text()
    named = set(re.findall(r"\bFl (-[a-z-]+)", text))
    assert named == spelled(operator) | {"-help"}


def test_all_pages_are_looked_at() -> None:
    assert {path.name for path in PAGES.iterdir()} - {"opensmtpd-plugins.8"} == set(PARSERS)


@pytest.mark.parametrize("page", sorted(PAGES.iterdir()), ids=lambda page: page.name)
def test_the_sections_that_the_page_refers_to_are_there(page: Path) -> None:
    lines = page.read_text().splitlines()
    titles = {line[4:].strip('"') for line in lines if line.startswith((".Sh ", ".Ss "))}
    named = {line[4:].removesuffix(" .") for line in lines if line.startswith(".Sx ")}
    assert named - titles == set()


@pytest.mark.parametrize("page", sorted(PAGES.iterdir()), ids=lambda page: page.name)
def test_the_page_is_sound(page: Path) -> None:
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        assert not os.environ.get("CI"), "mandoc can be installed"
        pytest.skip("mandoc is not installed")
    # Below a warning are remarks of style, as that smtpd(8) is not on this machine.
    found = subprocess.run(
        [mandoc, "-Tlint", "-W", "warning", page], capture_output=True, text=True, check=False
    )
    assert found.stdout + found.stderr == ""
