"""The directory that an smtpd names as the place of its programs."""

from pathlib import Path

import pytest

from opensmtpd_cli.system import libexec, smtpd_binary

SMTPD = b'\x7fELF\0table_create\0%s/table-%%s\0table_create: path too long "%s/table-%%s"\0'


@pytest.mark.parametrize(
    ("binary", "wanted"),
    [
        (SMTPD % (b"/usr/local/libexec/smtpd", b"/x"), "/usr/local/libexec/smtpd"),
        (SMTPD % (b"/opt/a-b_c+d.1/libexec", b"/x"), "/opt/a-b_c+d.1/libexec"),
        (SMTPD % (b"/a", b"/a") * 2, "/a"),
        (SMTPD % (b"/a", b"/a") + SMTPD % (b"/b", b"/b"), None),
        (SMTPD % (b"libexec", b"/x"), None),
        (SMTPD % (b"/a/../b", b"/x"), None),
        (SMTPD % (b"/a/.", b"/x"), None),
        (SMTPD % (b"/a b", b"/x"), None),
        (SMTPD % (b"/%s", b"/x"), None),
        (SMTPD % (b"/a\n", b"/x"), None),
        (SMTPD % (b"", b"/x"), None),
        (b"", None),
    ],
)
def test_what_a_binary_says(tmp_path: Path, binary: bytes, wanted: str | None) -> None:
    (tmp_path / "smtpd").write_bytes(binary)
    assert libexec.named_in(str(tmp_path / "smtpd")) == wanted


def test_a_real_smtpd_says_where(trixie_root: Path) -> None:
    assert libexec.named_in(str(trixie_root / "usr/sbin/smtpd")) == "/usr/libexec/opensmtpd"


def test_all_known_places_where_no_smtpd_says_which() -> None:
    assert libexec.folders() == (
        "/usr/libexec/opensmtpd",
        "/usr/local/libexec/smtpd",
        "/usr/lib/opensmtpd",
        "/usr/lib/smtpd/opensmtpd",
        "/usr/local/libexec/opensmtpd",
    )


def test_the_first_smtpd_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, folder in (("other", b""), ("smtpd", b"/opt/libexec"), ("more", b"/more")):
        (tmp_path / name).write_bytes(SMTPD % (folder, folder) if folder else b"")
    found = [str(tmp_path / name) for name in ("no", "other", "smtpd", "more")]
    monkeypatch.setattr(smtpd_binary, "paths", lambda: found)
    assert libexec.folders() == ("/opt/libexec",)
