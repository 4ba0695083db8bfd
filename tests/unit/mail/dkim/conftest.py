"""Keys and messages for the tests of DKIM."""

import os
from pathlib import Path

import pytest

from opensmtpd.mail.dkim.keys.keyring import Keyring
from unit.support.dkim_material import ED25519_PEM, RSA_PEM
from unit.support.dkim_signing import ring


@pytest.fixture(scope="session")
def rsa_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _write(tmp_path_factory.mktemp("keys") / "rsa.key", RSA_PEM)


@pytest.fixture(scope="session")
def ed25519_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _write(tmp_path_factory.mktemp("keys") / "ed25519.key", ED25519_PEM)


@pytest.fixture
def keyring(rsa_file: str) -> Keyring:
    return ring(("example.com", "mail", rsa_file))


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)
    return str(path)


@pytest.fixture(scope="session")
def suites() -> Path:
    """Published messages: beside the project, or where the environment says."""
    chosen = os.environ.get("OPENSMTPD_PLUGINS_SUITES")
    path = Path(chosen) if chosen else Path(__file__).parents[5] / "shared" / "suites"
    if not path.is_dir():
        pytest.skip(f"no messages in {path}; OPENSMTPD_PLUGINS_SUITES names another directory")
    return path
