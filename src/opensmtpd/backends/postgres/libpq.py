"""libpq, as ``psycopg.pq`` has it.

psycopg itself imports its adapters of all types, and asyncio: that takes longer than all else that
a table does at its start, and half of the memory. Its part ``pq`` needs none of it and is what it
documents for those who speak to libpq themselves. So ``pq`` is imported without the packages around
it, which are imported as ever by who asks for them later.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from opensmtpd.errors import ConfigError

__all__ = ["Error", "PGconn", "PGresult", "defaults", "pq"]

_PACKAGES = ("psycopg", "psycopg_binary", "psycopg_c", "asyncio")
_FINDER = "ctypes.util"
"""The module with which psycopg finds libpq, where it has no part in C: that is linked with it."""


def _imported() -> tuple[ModuleType, ModuleType]:
    """Return ``psycopg.pq`` and ``psycopg.errors``. Raises ImportError."""
    try:
        with _bare():
            # pq first, for its parts import each other.
            return import_module("psycopg.pq"), import_module("psycopg.errors")
    except (ImportError, AttributeError):  # of a version that needs more of the packages
        for name in [name for name in sys.modules if name.partition(".")[0] in _PACKAGES[:3]]:
            del sys.modules[name]
    return import_module("psycopg.pq"), import_module("psycopg.errors")


@contextmanager
def _bare() -> Iterator[None]:
    """Have modules be imported without their packages."""
    missing = [name for name in _PACKAGES if name not in sys.modules]
    specs = {name: PathFinder.find_spec(name) for name in missing}
    packages = {name: module_from_spec(spec) for name, spec in specs.items() if spec}
    if any(name.startswith("psycopg_") for name in packages) and _FINDER not in sys.modules:
        packages[_FINDER] = ModuleType(_FINDER)
    sys.modules.update(packages)
    try:
        if "asyncio" in packages:
            exceptions = sys.modules.pop(import_module("asyncio.exceptions").__name__)
            found = {"CancelledError": exceptions.CancelledError, "__getattr__": _later}
            vars(packages["asyncio"]).update(found)
        yield
    finally:
        for name in packages:
            del sys.modules[name]


def _later(name: str) -> Callable[..., Any]:
    """Return a function of asyncio, which is imported when it is called."""
    if name.startswith("__"):
        raise AttributeError(name)

    def call(*values: Any, **named: Any) -> Any:
        return getattr(import_module("asyncio"), name)(*values, **named)

    return call


if TYPE_CHECKING:
    from psycopg import errors, pq
else:
    try:
        pq, errors = _imported()
    except ImportError as error:
        missing = "psycopg with libpq" if PathFinder.find_spec("psycopg") else "psycopg"
        remedy = "pip install 'opensmtpd-plugins[postgres]'"
        raise ConfigError(f"asking PostgreSQL needs {missing}", remedy=remedy) from error

Error = errors.Error
"""The error that psycopg raises where libpq reports a failure."""
PGconn = pq.abc.PGconn
PGresult = pq.abc.PGresult


def defaults() -> dict[str, str]:
    """Return what libpq takes where a string says nothing: of the environment, and its own."""
    options = pq.Conninfo.get_defaults()
    return {_text(each.keyword): _text(each.val) for each in options if each.val is not None}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
