"""SECURITY.md names tests and constants that are there."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))
CONSTANTS = [
    (row[1].strip(), name)
    for line in PAGE.splitlines()
    if (row := line.split("|")[1:]) and len(row) > 2
    for name in re.findall(r"`(opensmtpd[\w.]+\.[A-Z_]+)`", line)
]


@pytest.mark.parametrize("name", TESTS)
def test_a_test_that_it_names_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert function in tests if function else any(each.startswith("test_") for each in tests)


@pytest.mark.parametrize(("bound", "name"), CONSTANTS)
def test_a_constant_has_the_value_that_it_tells(bound: str, name: str) -> None:
    module, _, constant = name.rpartition(".")
    told = int(bound.split(", ", maxsplit=1)[0].replace(",", ""))
    assert getattr(import_module(module), constant) == told


def test_each_claim_has_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "tests/" in line]
    claims = [line for line in PAGE.splitlines() if line.startswith(("| claim", "| it cannot"))]
    assert len(rows) > 30
    assert len(claims) >= 3
    assert len(CONSTANTS) >= 14
