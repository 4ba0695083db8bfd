import subprocess
import sys
from pathlib import Path

import pytest

from opensmtpd.backends.postgres import libpq

LIBPQ = "import opensmtpd.backends.postgres.libpq as libpq, sys\n"


def run(code: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_what_is_imported() -> None:
    """Not the packages around it, which are large."""
    code = (
        "print([name in sys.modules for name in ('psycopg', 'psycopg.pq', 'asyncio', 'decimal')])"
    )
    assert run(LIBPQ + code) == (0, "[False, True, False, False]\n", "")


def test_what_finds_libpq_is_imported_where_it_is_to_be_found() -> None:
    """What is compiled has libpq already; and who wants that module gets it."""
    code = (
        "found = 'ctypes.util' in sys.modules\n"
        "import ctypes.util\n"
        "print(found == (libpq.pq.__impl__ == 'python'), ctypes.util.find_library.__module__)\n"
    )
    assert run(LIBPQ + code) == (0, "True ctypes.util\n", "")


def test_the_packages_are_imported_as_ever_by_who_asks_for_them() -> None:
    code = (
        "import asyncio, psycopg, psycopg.types.json\n"
        "async def f(): await asyncio.sleep(0)\n"
        "asyncio.run(f())\n"
        "print(psycopg.pq is libpq.pq, psycopg.connect.__name__, psycopg.Error is libpq.Error)\n"
    )
    assert run(LIBPQ + code) == (0, "True connect True\n", "")


def test_packages_that_are_there_already_stay() -> None:
    code = (
        "import asyncio, psycopg\n" + LIBPQ + "print(psycopg.pq is libpq.pq)\nimport psycopg.rows\n"
    )
    assert run(code) == (0, "True\n", "")


@pytest.mark.parametrize(
    ("hidden", "missing"),
    [
        (
            "import os\nsys.path[:] = [p for p in sys.path if not os.path.isdir(p + '/psycopg')]",
            "psycopg",
        ),
        ("import os\nos.environ['PSYCOPG_IMPL'] = 'none'", "psycopg with libpq"),
    ],
)
def test_without_it(hidden: str, missing: str) -> None:
    source = str(Path(libpq.__file__).parents[3])
    code = (
        f"import sys\n{hidden}\nsys.path.append({source!r})\n"
        "from opensmtpd.errors import ConfigError\n"
        "try:\n    import opensmtpd.backends.postgres.libpq\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    wanted = f"asking PostgreSQL needs {missing}; pip install 'opensmtpd-plugins[postgres]'\n"
    assert run(code) == (0, wanted, "")


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "from-environment")
    found = libpq.defaults()
    assert found["host"] == "from-environment"
    assert found["port"] == "5432"
