"""Fixtures that several files share."""

from pathlib import Path

import pytest

from unit.support.dkim_material import ED25519_PEM, RSA_PEM


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two keys, readable by nobody else."""
    for name, text in (("rsa.key", RSA_PEM), ("ed.key", ED25519_PEM)):
        (tmp_path / name).write_text(text, encoding="ascii")
        (tmp_path / name).chmod(0o600)
    return tmp_path
