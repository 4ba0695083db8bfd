import ast
from pathlib import Path

import pytest

import opensmtpd.testing.model

MODULES = sorted(Path(opensmtpd.testing.model.__file__).parent.glob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
    return {name for name in found if name.split(".")[0].startswith("opensmtpd")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_judge_knows_nothing_of_the_code_under_test(path: Path) -> None:
    # A model built on the code under test would share its mistakes.
    assert [name for name in imported(path) if not name.startswith("opensmtpd.testing.model")] == []
