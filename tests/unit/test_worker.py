"""What the package ``opensmtpd.worker`` loads when it is imported, and what later."""

import pytest

from opensmtpd import worker
from opensmtpd.worker.loading import Loading
from opensmtpd.worker.pool import Pool
from unit.support.other_python import run


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
    ran = run(code, "-S")
    names = ("", ".frames", ".process", ".stem", ".stem_orders", ".worker")
    loaded = " ".join(f"opensmtpd.worker{name}" for name in names)
    assert (ran.stdout, ran.stderr) == (f"{loaded} False True\n", "")
