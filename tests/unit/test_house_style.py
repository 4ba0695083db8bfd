"""Folders stay small, and docstrings say in plain words what things are and do."""

import ast
from collections import Counter
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
FOLDERS = ("src", "filters", "tables", "examples", "bench", "docs")
MODULES = sorted(path for folder in FOLDERS for path in (TREE / folder).rglob("*.py"))
MODULES_MAX, LINES_MAX = 15, 300
RIDDLES = ("What", "Who", "How", "Whether")
"""First words of docstrings that name no thing: the reader has to guess the subject."""


def test_no_folder_has_too_many_modules() -> None:
    counts = Counter(path.parent for path in MODULES)
    assert {str(folder): n for folder, n in counts.items() if n > MODULES_MAX} == {}


def test_no_module_is_too_long() -> None:
    lengths = {str(path): path.read_text().count("\n") for path in MODULES}
    assert {path: n for path, n in lengths.items() if n > LINES_MAX} == {}


def begins(text: str) -> list[str]:
    """Return the first words of all texts that stand alone, docstrings of attributes included."""
    return [
        node.value.value.split()[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]


def test_the_first_words_of_docstrings() -> None:
    assert begins('"""How."""\nA = 1\n"""What it is."""\n\ndef f():\n    "Do it."\n') == [
        *("How.", "What", "Do")
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TREE)))
def test_docstrings_name_their_subject(path: Path) -> None:
    assert [word for word in begins(path.read_text()) if word in RIDDLES] == []
