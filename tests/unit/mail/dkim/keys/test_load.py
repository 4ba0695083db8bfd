"""Keys: what is taken, what is not, and what is said about it."""

from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.load import load
from unit.support.dkim_key_files import RSA, key_file, pem


def test_a_short_key_is_taken_with_a_warning(rsa_file: str) -> None:
    (warning,) = load(rsa_file).warnings
    assert warning.startswith(f"{rsa_file}: RSA key of 1024 bits, fewer than 2048; make one: ")


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o400, False), (0o640, False), (0o644, True), (0o641, True)]
)
def test_a_key_open_to_all_is_taken_with_a_warning(tmp_path: Path, mode: int, warned: bool) -> None:
    path = key_file(tmp_path, pem(RSA), mode)
    expected = (f"{path}: key open to every user of this machine; chmod o= {path}",)
    assert load(path).warnings == (expected if warned else ())


def test_the_algorithm_must_fit(rsa_file: str, ed25519_file: str) -> None:
    assert load(rsa_file, "rsa-sha256").algorithm == "rsa-sha256"
    with pytest.raises(ConfigError) as caught:
        load(rsa_file, "ed25519-sha256")
    assert str(caught.value) == (
        f"{rsa_file}: a key for rsa-sha256, not ed25519-sha256;"
        " name the algorithm rsa-sha256, or another key"
    )
    with pytest.raises(ConfigError, match="a key for ed25519-sha256, not rsa-sha256"):
        load(ed25519_file, "rsa-sha256")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = str(tmp_path / "none.key")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}: cannot read it: No such file or directory; make the file, or correct the path"
    )
    with pytest.raises(ConfigError, match="a directory, not a regular file; name a regular file"):
        load(str(tmp_path))
