"""The process that holds private keys: what it loads, and what it signs."""

from pathlib import Path
from typing import Any

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.keys.load import load
from opensmtpd.mail.dkim.keys.signing_worker import SigningWorker, read_keys
from unit.support.dkim_material import ED25519_PEM, RSA_PEM

DIGEST = bytes(range(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("rsa.key", RSA_PEM), ("ed.key", ED25519_PEM)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def setup(**given: Any) -> dict[str, Any]:
    """Return what filter-dkimsign has a worker load."""
    nothing: dict[str, Any] = {
        "domains": [], "domain_files": [], "selector": None, "key": None, "algorithm": None,
        "key_table": None,
    }  # fmt: skip
    return {**nothing, **given}


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_what_it_loads_is_told_without_a_key(folder: Path) -> None:
    table = write(folder, "table", "a_b.example m rsa.key\nA.example ed ed.key ed25519-sha256\n")
    identities, warnings = SigningWorker().load(setup(key_table=table))
    rsa, ed = (load(str(folder / name)) for name in ("rsa.key", "ed.key"))
    assert identities == [
        ("a_b.example", "m", "rsa-sha256", rsa.id),
        ("A.example", "ed", "ed25519-sha256", ed.id),
    ]
    assert warnings == [
        "domain a_b.example: RFC 6376 section 3.5 allows no underscore; check the name",
        *rsa.warnings,
    ]


def test_each_digest_is_signed_with_its_key(folder: Path) -> None:
    table = write(folder, "table", "a.example m rsa.key\na.example ed ed.key\n")
    worker = SigningWorker()
    worker.load(setup(key_table=table))
    rsa, ed = (load(str(folder / name)) for name in ("rsa.key", "ed.key"))
    wanted = [ed.sign(DIGEST), rsa.sign(DIGEST), ed.sign(DIGEST[::-1])]
    asked = [(ed.id, DIGEST), (rsa.id, DIGEST), (ed.id, DIGEST[::-1])]
    assert worker.handle(asked) == wanted


def test_an_unknown_key_and_what_is_no_digest(folder: Path) -> None:
    worker = SigningWorker()
    one_key = setup(domains=["a.example"], selector="m", key=str(folder / "rsa.key"))
    [[identity], _] = worker.load(one_key)
    with pytest.raises(KeyError):
        worker.handle([(b"?", DIGEST)])
    with pytest.raises(ValueError, match="digest"):
        worker.handle([(identity[3], b"text")])


def test_a_key_outlives_the_reload_that_takes_it_away_and_no_other(folder: Path) -> None:
    worker = SigningWorker()
    worker.load(setup(key_table=write(folder, "table", "a.example m rsa.key\n")))
    id = load(str(folder / "rsa.key")).id
    (before,) = worker.handle([(id, DIGEST)])
    other = setup(key_table=write(folder, "table", "a.example m ed.key\n"))
    worker.load(other)
    assert worker.handle([(id, DIGEST)]) == [before]
    worker.load(other)
    with pytest.raises(KeyError):
        worker.handle([(id, DIGEST)])


def test_flags_and_domain_files_go_together(folder: Path) -> None:
    file = write(folder, "domains", "b.example\na.example\n")
    key = setup(selector="m", key=str(folder / "ed.key"), algorithm="ed25519-sha256")
    found = read_keys(**{**key, "domains": ["a.example"], "domain_files": [file]})
    assert [one.domain for one in found] == ["a.example", "b.example"]


def test_the_algorithm_of_one_key_is_rsa_unless_given(folder: Path) -> None:
    wrong = setup(domains=["a.example"], selector="m", key=str(folder / "ed.key"))
    with pytest.raises(ConfigError, match="a key for ed25519-sha256, not rsa-sha256"):
        SigningWorker().load(wrong)


@pytest.mark.parametrize("lacks", ["domains", "selector", "key"])
def test_nothing_to_sign_with(folder: Path, lacks: str) -> None:
    whole = setup(domains=["a.example"], selector="m", key=str(folder / "rsa.key"))
    with pytest.raises(ConfigError, match=r"^nothing to sign with; give a domain"):
        SigningWorker().load({**whole, lacks: setup()[lacks]})
