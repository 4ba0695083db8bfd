"""The manual page, --help and the parser know the same options; the page is sound mdoc(7)."""

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from opensmtpd_filters.dkimsign import parser

PAGE = Path(__file__).parents[2] / "packaging" / "man" / "filter-dkimsign.8"


def known() -> set[str]:
    """The parser's options, without the dash that Fl puts in front."""
    return {
        option.removeprefix("-") for action in parser()._actions for option in action.option_strings
    }


def explained() -> set[str]:
    """The options that begin an item of a list on the page."""
    headings = [line for line in PAGE.read_text().splitlines() if line.startswith(".It Fl ")]
    words = [word for line in headings for word in line.split()]
    return {flag for macro, flag in pairwise(words) if macro == "Fl"}


def test_the_page_explains_each_option_and_no_other() -> None:
    assert explained() == known()
    assert {"d", "-domain", "-help", "n", "-on-failure"} <= known()


def test_the_page_is_sound() -> None:
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        assert not os.environ.get("CI"), "mandoc can be installed"
        pytest.skip("mandoc is not installed")
    # Below a warning are remarks of style, as that smtpd(8) is not on this machine.
    found = subprocess.run(
        [mandoc, "-Tlint", "-W", "warning", PAGE], capture_output=True, text=True, check=False
    )
    assert found.stdout + found.stderr == ""
