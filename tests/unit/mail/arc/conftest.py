"""The key of the suite arc-seal.json, and what seals with it."""

from pathlib import Path

import pytest

from opensmtpd.mail.dkim.keys.keyring import Keyring
from unit.support.arc_messages import SUITES, seal_suite
from unit.support.dkim_material import ED25519_PEM
from unit.support.dkim_signing import ring


@pytest.fixture(scope="session")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    suite = seal_suite()
    if not suite["cases"]:
        pytest.skip(f"no suite in {SUITES}")
    sealer = suite["sealer"]
    path = _written(tmp_path_factory.mktemp("keys") / "seal.key", sealer["key"])
    return ring((sealer["domain"], sealer["selector"], path))


@pytest.fixture(scope="session")
def ed25519(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = _written(tmp_path_factory.mktemp("keys") / "ed.key", ED25519_PEM)
    return ring(("example.com", "ed", path))


def _written(path: Path, pem: str) -> str:
    path.write_text(pem, encoding="ascii")
    path.chmod(0o600)
    return str(path)
