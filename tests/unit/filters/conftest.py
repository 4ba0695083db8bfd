"""Fixtures that several files share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd import answer
from opensmtpd.worker import Pool
from unit.support.dkim_material import ED25519_PEM, RSA_PEM


@pytest.fixture(autouse=True)
def few_workers() -> Iterator[None]:
    """End the workers of the filters that a test has made."""
    yield
    for source in list(answer.sources()):
        if isinstance(source, Pool):
            source.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two keys, readable by nobody else."""
    for name, text in (("rsa.key", RSA_PEM), ("ed.key", ED25519_PEM)):
        (tmp_path / name).write_text(text, encoding="ascii")
        (tmp_path / name).chmod(0o600)
    return tmp_path
