"""What the package ``opensmtpd.worker`` loads when it is imported, and what later."""

import os
import subprocess
import sys

import pytest

from opensmtpd import worker
from opensmtpd.worker.loading import Loading
from opensmtpd.worker.pool import Pool


def test_all_names_are_there() -> None:
    assert (worker.Pool, worker.Loading) == (Pool, Loading)
    assert all(getattr(worker, name) for name in worker.__all__)


def test_others_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'pol'"):
        _ = worker.pol


def test_a_stem_loads_nothing_of_the_front() -> None:
    code = (
        "import sys, opensmtpd.worker.stem;"
        "print(*sorted(each for each in sys.modules if each.startswith('opensmtpd.worker')),"
        " 'threading' in sys.modules, 'selectors' in sys.modules)"
    )
    path = os.pathsep.join(each for each in sys.path if each)
    run = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    names = ("", ".frames", ".process", ".stem", ".stem_orders", ".worker")
    loaded = " ".join(f"opensmtpd.worker{name}" for name in names)
    assert run.stdout.decode() == f"{loaded} False True\n"
