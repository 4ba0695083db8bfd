"""smtpd's own user."""

import os
import pwd

import pytest

from opensmtpd_cli.system import users


def test_whom_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def getpwnam(name: str) -> str:
        names.append(name)
        if name != "opensmtpd":
            raise KeyError(name)
        return "entry"

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert users.smtpd_user() == "entry"  # type: ignore[comparison-overlap]
    assert names == ["_smtpd", "opensmtpd"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert users.smtpd_user() is None
