"""The law of the house: which folder may import which, and which names plugins may use.

CONTRIBUTING.md draws the house; LAW holds it.
"""

import ast
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from unit.support import public_names

ROOT = Path(__file__).parents[2]
TREES = ("src", "filters", "tables", "examples")

PUBLIC = frozenset(name.split(".")[1] for name in public_names.MODULES)
"""The parts of ``opensmtpd`` that opensmtpd(3) describes."""
AUTHORS = PUBLIC | public_names.CHANGING | {"backends/state"}

LAW: dict[str, frozenset[str]] = {
    name: frozenset(allowed)
    for name, allowed in {
        "errors": [],
        "log": [],
        "early": ["worker"],
        "needs": [],
        "files": ["errors"],
        "_methods": ["errors"],
        "_title": [],
        "_counters": [],
        "options": ["errors", "log"],
        "answer": ["errors"],
        "timers": ["errors", "answer"],
        "capture": [
            *("errors", "log", "needs", "files", "options", "_title", "_runtime"),
            "_runtime/sandbox",
        ],
        "worker": [
            *("errors", "log", "early", "needs", "files", "answer", "_title", "_runtime/sandbox"),
            "_counters",
        ],
        "table": ["errors", "log", "needs", "files", "answer", "_methods", "worker"],
        "filter": ["errors", "answer", "needs", "_methods"],
        # Both import the state in functions: most ask the DNS without sharing what it says.
        "dns": ["errors", "log", "files", "options", "answer", "dns/resolver", "backends/state"],
        "dns/resolver": [
            *("errors", "log", "needs", "files", "options", "answer", "dns", "worker"),
            *("backends/state", "_counters"),
        ],
        "backends": ["errors", "log", "needs", "files", "options", "answer", "table", "worker"],
        "backends/state": ["errors", "log", "needs", "files", "answer", "worker", "backends"],
        "mail": [
            *("errors", "log", "needs", "files", "options", "answer"),
            *("filter", "table", "dns", "backends", "backends/state", "worker", "_counters"),
        ],
        "_protocol": ["errors", "log", "answer", "_counters"],
        "_protocol/filter": ["errors", "log", "answer", "filter", "_protocol", "_counters"],
        "_protocol/table": ["errors", "log", "answer", "table", "_protocol", "_counters"],
        "_runtime/sandbox": ["errors", "log", "needs"],
        "_runtime": [
            *("errors", "log", "needs", "files", "answer", "_title", "_runtime/sandbox"),
            *("_protocol", "_protocol/filter", "_protocol/table", "_counters"),
        ],
        "run": [
            *("errors", "log", "needs", "options", "answer", "_methods", "filter", "table", "dns"),
            *("_protocol", "_protocol/filter", "_protocol/table", "_runtime"),
        ],
        "testing": [
            *("errors", "log", "answer", "capture", "filter", "table", "dns", "worker"),
            "testing/model",
            *("_protocol", "_protocol/filter", "_protocol/table"),
        ],
        "testing/model": [],
        "filters": AUTHORS - {"testing"},
        "tables": AUTHORS - {"testing"},
        "examples": PUBLIC - {"testing"},
        "cli": [
            *(AUTHORS - {"run"} | {"testing/model"}),
            *("cli/commands", "cli/terminal", "cli/system"),
        ],
        "cli/terminal": [],
        "cli/errors": [],
        "cli/commands": [
            *(AUTHORS - {"run"} | {"testing/model", "cli", "cli/terminal", "cli/errors"}),
            *("cli/plugin", "cli/database", "cli/dnsrecords", "cli/smtpdconf", "cli/system"),
        ],
        "cli/plugin": [
            *(AUTHORS - {"run"} | {"testing/model", "cli", "cli/terminal", "cli/errors"}),
            *("cli/smtpdconf", "cli/system"),
        ],
        "cli/database": [*(AUTHORS - {"run"}), "cli/smtpdconf", "cli/system"],
        "cli/dnsrecords": [*(AUTHORS - {"run"}), "cli/smtpdconf", "cli/system"],
        "cli/smtpdconf": AUTHORS - {"run"},
        "cli/system": AUTHORS - {"run"},
    }.items()
}
"""Each part of the house, and the other parts that it may import.

A part is a folder or a module of ``opensmtpd``; ``cli`` is ``opensmtpd_cli``. The longest name that
fits a module is its part. A module may import its own part.
"""

WORLD = {
    "signal": {"_runtime"},
    "threading": {"_runtime", "_runtime/sandbox"},
    "asyncio": {"_runtime", "answer"},
    "select": {"_runtime", "log"},
    "time": {"_runtime", "_runtime/sandbox"},
}
"""Modules that touch the world outside, and the parts of the core that may import them."""
CORE = (
    "errors",
    "log",
    "needs",
    "files",
    "options",
    "answer",
    "timers",
    "filter",
    "table",
    "run",
    "_methods",
    "_protocol",
    "_runtime",
)

NO_TEST = frozenset(
    [
        "opensmtpd_cli.__main__",
        "opensmtpd.worker.stem_orders",
        "opensmtpd.dns.resolver.orders",
        "opensmtpd.mail.milter.process.orders",
        "opensmtpd.mail.rspamd.worker_orders",
    ]
)
"""Run as a process by the tests of the commands; numbers only."""


@cache
def modules() -> dict[str, Path]:
    """Return the path of each module by its full name; a package has the name of its folder."""
    found = {}
    for tree in TREES:
        for path in (ROOT / tree).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT / tree).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


PACKAGES = frozenset(["opensmtpd", "opensmtpd_cli", "opensmtpd_filters", "opensmtpd_tables"])
"""Names that stand in strings for other reasons."""


def part(name: str) -> str:
    """Return the part of the house in which a module stands."""
    first, _, rest = name.partition(".")
    match first:
        case "opensmtpd":
            words = rest.split(".")
        case "opensmtpd_cli":
            words = ["cli", *rest.split(".")]
        case "opensmtpd_filters" | "opensmtpd_tables":
            return first.removeprefix("opensmtpd_")
        case _:
            return "examples"
    for length in range(len(words), 0, -1):
        if "/".join(words[:length]) in LAW:
            return "/".join(words[:length])
    raise AssertionError(f"{name} stands in no part of LAW")


def nodes(body: list[ast.stmt], typing: bool) -> Iterator[ast.AST]:
    """Yield the nodes below statements, those of ``if TYPE_CHECKING`` only where ``typing``."""
    for statement in body:
        for_types = isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"
        if typing or not for_types:
            yield from ast.walk(statement)


def imports(path: Path, typing: bool = True) -> Iterator[tuple[str, str]]:
    """Yield what a file imports, wherever in it: a module, and a name of it or ``""``.

    The name of a module of ours in a string counts, too: it may be given to ``import_module``.
    """
    for node in nodes(ast.parse(path.read_text(encoding="utf-8")).body, typing):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner, "") if inner in modules() else (node.module or "", alias.name)
        elif isinstance(node, ast.Constant) and node.value in modules().keys() - PACKAGES:
            yield (str(node.value), "")


def ours(name: str, typing: bool = True) -> list[str]:
    """Return the modules of ours that a module imports, in the order of their names."""
    found = {module for module, _ in imports(modules()[name], typing)}
    return sorted(found & modules().keys() - {name, "opensmtpd"})


NAMES = sorted(modules().keys() - {"opensmtpd"})


@pytest.mark.parametrize("name", NAMES)
def test_imports_follow_the_law(name: str) -> None:
    mine = part(name)
    for other in ours(name):
        assert part(other) in LAW[mine] | {mine}, f"{name} imports {other}"


def test_the_law_names_what_there_is() -> None:
    assert {part(name) for name in NAMES} == LAW.keys()
    assert all(allowed <= LAW.keys() for allowed in LAW.values())


def test_no_imports_go_in_a_circle() -> None:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " > ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in ours(name, typing=False):
                visit(other, (*trail, name))
            done.add(name)

    for name in NAMES:
        visit(name, ())


def test_plugins_do_not_know_each_other() -> None:
    plugins = [
        name
        for name in NAMES
        if part(name) in ("filters", "tables", "examples") and not name.endswith(".early")
    ]  # ``early`` holds the entry points of several
    assert {name: found for name in plugins if (found := set(ours(name)) & set(plugins))} == {}


def test_commands_do_not_know_each_other() -> None:
    """A command is a folder or a file in ``commands``."""
    for name in NAMES:
        if name.startswith("opensmtpd_cli.commands."):
            own = ".".join(name.split(".")[:3])
            others = [other for other in ours(name) if part(other) == "cli/commands"]
            assert [other for other in others if f"{other}.".find(f"{own}.") != 0] == []


def test_the_resolver_is_loaded_by_those_who_ask_for_one() -> None:
    """A filter that asks nothing loads neither c-ares nor the cache: only a function imports it."""
    for name in NAMES:
        if part(name) != "dns/resolver" and name.startswith("opensmtpd."):
            body = ast.parse(modules()[name].read_text(encoding="utf-8")).body
            top = [node.module for node in body if isinstance(node, ast.ImportFrom) and node.module]
            assert [each for each in top if each.startswith("opensmtpd.dns.resolver")] == [], name


@pytest.mark.parametrize(
    "name", [name for name in NAMES if part(name) in ("filters", "tables", "examples")]
)
def test_plugins_import_public_names_only(name: str) -> None:
    for module, imported in imports(modules()[name]):
        if module.startswith("opensmtpd.") and part(module) in PUBLIC:
            assert module in public_names.MODULES, f"{name} imports {module}"
            assert not imported or imported in public_names.PUBLIC[module]


def test_errors_that_others_catch_stand_in_one_module() -> None:
    """But for those of the model of smtpd, which imports nothing of ours."""
    raised = {
        name
        for name in NAMES
        for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for base in node.bases
        if isinstance(base, ast.Name) and base.id.endswith(("Error", "Exception"))
    }
    assert raised == {"opensmtpd.errors", "opensmtpd.testing.model.fatal", "opensmtpd_cli.errors"}


def defined(name: str) -> set[str]:
    """Return the public classes and type aliases of a module."""
    found = set()
    for node in ast.parse(modules()[name].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.dump(node.annotation):
            found.add(ast.unparse(node.target))
    return {each for each in found if not each.startswith("_")}


def test_no_two_classes_that_a_file_can_import_have_one_name() -> None:
    """Nor do type aliases: one word means one thing."""
    homes: dict[str, list[str]] = {}
    for name in NAMES:
        for each in defined(name):
            homes.setdefault(each, []).append(name)
    twice = [
        (each, one, other)
        for each, names in homes.items()
        for one, other in combinations(names, 2)
        if any({part(one), part(other)} <= LAW[mine] | {mine} for mine in LAW)
    ]
    assert twice == []


def test_each_part_that_touches_the_world_outside() -> None:
    users: dict[str, set[str]] = {module: set() for module in WORLD}
    for name in NAMES:
        if part(name).partition("/")[0] in CORE:
            for module, _ in imports(modules()[name]):
                if module in users:
                    users[module].add(part(name))
    assert users == WORLD


def own_test(name: str) -> Path:
    """Return the path of the tests of a module."""
    words = name.split(".")
    words[:1] = {"opensmtpd": []}.get(words[0], [words[0].removeprefix("opensmtpd_")])
    if name.startswith("opensmtpd_cli"):
        words[0] = "opensmtpd_cli"
    return ROOT.joinpath("tests", "unit", *words[:-1], f"test_{words[-1]}.py")


def has_code(name: str) -> bool:
    """Return whether a module is more than a docstring and the names that it exports."""
    if modules()[name].name != "__init__.py":
        return True
    body = ast.parse(modules()[name].read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if part(name) != "examples" and name not in NO_TEST]
)
def test_each_module_has_its_tests(name: str) -> None:
    assert own_test(name).is_file() or not has_code(name), own_test(name)
