"""What stands for users who do not exist; hashes themselves are computed in ``test_passwords``."""

import pytest

from opensmtpd.errors import LocalError
from opensmtpd.table.passwords import libcrypt, verification


@pytest.mark.parametrize("decoy", verification._DECOYS)
def test_decoys_can_be_computed(decoy: bytes) -> None:
    assert verification.verify("x", decoy.decode()) is False


def test_the_first_decoy_that_can_be_computed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypt, "_library", lambda: None)
    monkeypatch.setattr(verification, "_last", None)
    assert verification.verify("x", None) is False
    assert verification._last == b"$2b$10$" + 53 * b"."


def test_a_hash_that_cannot_be_checked_is_no_decoy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_last", b"kept")
    with pytest.raises(LocalError, match=r"^alice: cannot check a bcrypt hash: it is malformed$"):
        verification.verify("x", "$2b$05$short", "alice")
    assert verification._last == b"kept"
