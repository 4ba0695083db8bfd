"""Fixtures of the tests of ``genkey``."""

from pathlib import Path

import pytest

from unit.support.dkim_material import ED25519_PEM, RSA_PEM
from unit.support.new_keys import KEY_TABLE


@pytest.fixture
def nobody_special(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make keys as somebody who is not root: root would give them to the filter's group."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A key table with an Ed25519 key and an RSA key."""
    for name, text in (("ed.key", ED25519_PEM), ("rsa.key", RSA_PEM), ("table", KEY_TABLE)):
        (tmp_path / name).write_bytes(text.encode())
        (tmp_path / name).chmod(0o600)
    return tmp_path / "table"
