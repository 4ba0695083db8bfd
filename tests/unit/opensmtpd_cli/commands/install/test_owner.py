"""The package that owns a file, from each package manager."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.install import owner

ANSWERS = {
    "dpkg-query": ("opensmtpd-table-sqlite: /x/p", "opensmtpd-table-sqlite"),
    "rpm": ("opensmtpd-tables", "opensmtpd-tables"),
    "pacman": ("opensmtpd", "opensmtpd"),
    "apk": ("/x/p is owned by opensmtpd-7.6.0_p1-r0", "opensmtpd-7.6.0_p1-r0"),
    "pkg_info": (
        "/x/p: opensmtpd-extras-7.6\\nopensmtpd-extras-7.6 extras",
        "opensmtpd-extras-7.6",
    ),
    "pkg": ("mail/opensmtpd-extras", "mail/opensmtpd-extras"),
}


@pytest.mark.parametrize("manager", ANSWERS)
def test_each_package_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str
) -> None:
    answer, name = ANSWERS[manager]
    script = f'#!/bin/sh\nfor path; do :; done\n[ "$path" = /x/p ] || exit 1\necho "{answer}"\n'
    (tmp_path / manager).write_text(script)
    (tmp_path / manager).chmod(0o755)
    monkeypatch.setattr(owner, "_PATH", str(tmp_path))
    assert owner.owner("/x/p") == name
    assert owner.owner("/x/q") is None


def test_a_package_manager_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rpm").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "rpm").chmod(0o755)
    monkeypatch.setattr(owner, "_PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(owner, "_ASK", ((("rpm", "-qf"), "(.*)"),))
    monkeypatch.setattr(owner, "_PATIENCE", 0.2)
    assert owner.owner("/x/p") is None
