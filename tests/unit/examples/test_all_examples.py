"""Each example is short, says what it does, imports public names only, and is tested twice."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.root.plugin import TREE
from unit.support.public_names import PUBLIC

EXAMPLES = sorted((TREE / "examples").glob("*.py"))
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def docstring(path: Path) -> str:
    found = ast.get_docstring(ast.parse(path.read_text()), clean=False)
    assert found
    return found


def test_there_are_filters_and_tables() -> None:
    kinds = [path.name.partition("_")[0] for path in EXAMPLES]
    assert (kinds.count("filter") >= 5, kinds.count("table") >= 2) == (True, True)
    assert set(kinds) == {"filter", "table"}


@each_example
def test_it_is_a_short_program(path: Path) -> None:
    text = path.read_text()
    assert text.startswith('#!/usr/bin/python3\n"""')
    assert text.count("\n") < 40
    assert os.access(path, os.X_OK)


@each_example
def test_it_shows_its_line_of_smtpd_conf(path: Path) -> None:
    program = path.stem.replace("_", "-")
    kind, _, name = program.partition("-")
    line = {
        "filter": rf'    filter {name} proc-exec "{program}[ "]',
        "table": rf"    table \w+ {name}:/",
    }[kind]
    assert re.search(f"^{line}", docstring(path), re.MULTILINE)


@each_example
def test_it_imports_public_names_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opensmtpd"):
            for alias in node.names:
                modules = node.module in PUBLIC and alias.name in PUBLIC[node.module]
                assert modules or f"{node.module}.{alias.name}" in PUBLIC, alias.name
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if "opensmtpd" in alias.name]


@each_example
def test_help_is_what_the_docstring_says(path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, path, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert docstring(path).splitlines()[0] in shown


@each_example
def test_it_is_tested_without_any_smtpd_and_with_one(path: Path) -> None:
    alone = Path(__file__).with_name(f"test_{path.name}").read_text()
    assert f"\nfrom {path.stem} import " in alone
    assert "\ndef test_" in alone
    served = (TREE / "tests/integration/examples/test_served.py").read_text()
    assert f"\ndef test_{path.stem.removeprefix('filter_')}(lab: Lab) " in served


def test_the_readme_has_a_row_for_each() -> None:
    text = (TREE / "examples/README.md").read_text()
    rows = re.findall(r"^\| \[(.*?)\]\((.*?)\) \| .+ \| .+ \|$", text, re.MULTILINE)
    assert sorted(rows) == [(path.name, path.name) for path in EXAMPLES]
