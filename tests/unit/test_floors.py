"""The floors of the house: imports point down, and each module has its tests."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "opensmtpd"
PLUGINS = ("opensmtpd_filters", "opensmtpd_tables")

FLOORS = {
    "errors": 0,
    "lines": 1,
    "events": 1,
    "decisions": 1,
    "log": 1,
    "options": 1,
    "queries": 1,
    "limits": 2,
    "strtonum": 1,
    "tablefile": 3,
    "hashes": 1,
    "wire": 2,
    "spool": 2,
    "session": 2,
    "work": 2,
    "message": 3,
    "filter": 4,
    "table": 4,
    "authentication": 5,
    "screen": 5,
    "dnsbl": 6,
    "routes": 6,
    "calls": 4,
    "transfers": 5,
    "handshake": 5,
    "filter_protocol": 6,
    "table_protocol": 7,
    "watchdog": 6,
    "threads": 6,
    "runner": 7,
    "runner_async": 8,
    "loop_blocking": 8,
    "program": 9,
    "run": 10,
    "run_table": 10,
    "testing": 10,
    "operator": 11,
}
"""Module (or package) of the core to its floor. What is not named here is RFC code: floor 2."""

OWN = FLOORS.keys() - {"testing", "operator"}
RFC_FLOOR = 2


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            if node.module == "opensmtpd":
                yield from (f"opensmtpd.{alias.name}" for alias in node.names)
            else:
                yield node.module


def part(name: str) -> str:
    """Return the module or package of the core that a full name lies in."""
    return name.split(".")[1] if "." in name else ""


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


CORE = [path for path in sources(SRC) if path.name != "__init__.py" or path.parent != SRC]
FILTERS = sources(ROOT / "filters") + sources(ROOT / "tables")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def owner(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_imports_point_strictly_down(path: Path) -> None:
    mine = owner(path)
    floor = FLOORS.get(mine, RFC_FLOOR)
    for name in imports(path):
        if not name.startswith("opensmtpd.") or part(name) == mine:
            continue
        below = FLOORS.get(part(name), RFC_FLOOR)
        assert below < floor, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_knows_no_plugin(path: Path) -> None:
    assert [name for name in imports(path) if name.startswith(PLUGINS)] == []


@pytest.mark.parametrize("path", FILTERS, ids=name_of)
def test_plugins_do_not_know_each_other(path: Path) -> None:
    for name in imports(path):
        assert not name.startswith(PLUGINS), f"{path.name} imports {name}"
        assert part(name) != "testing" or not name.startswith("opensmtpd."), f"{path.name}: {name}"


def test_who_touches_the_world_outside() -> None:
    users = {
        module: {owner(path) for path in CORE if module in set(imports(path))} & OWN
        for module in ("signal", "select", "asyncio", "threading", "time")
    }
    assert users == {
        "signal": {"runner", "watchdog", "program"},
        "select": {"runner", "log"},
        "asyncio": {"runner_async", "authentication"},
        "threading": {"threads"},
        "time": {"runner", "loop_blocking"},
    }


def test_the_table_names_what_there_is() -> None:
    there = {owner(path) for path in CORE}
    assert set(FLOORS) <= there
    assert {name for name in there - set(FLOORS) if (SRC / f"{name}.py").exists()} == set()


@pytest.mark.parametrize("name", sorted(OWN))
def test_each_module_has_its_tests(name: str) -> None:
    assert (ROOT / "tests" / "unit" / f"test_{name}.py").is_file()
