"""Remarks of ``genkey`` to root: whether the filter can read the key."""

import os
from pathlib import Path

import pytest

from opensmtpd_cli.commands.genkey import key_file
from unit.support.new_keys import genkey
from unit.support.swap import Program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as somebody else")


def test_the_way_to_the_key_is_judged_as_the_filters_user(
    run: Program, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "USER", "daemon")
    folder = place / "keys"
    folder.mkdir(0o700)

    def said(name: str) -> list[str]:
        path = folder / name
        flags = ("--selector", "a", "--algorithm", "ed25519", "--key", path)
        return genkey(run, *flags).err.splitlines()

    assert said("a.key")[:2] == [
        f"wrote {folder}/a.key",
        f"{folder}/a.key: the filter cannot read it; let user daemon enter the directory {folder}",
    ]
    folder.chmod(0o755)
    assert said("b.key")[:2] == [
        f"wrote {folder}/b.key: the group daemon can read it, and nobody else but root",
        "Publish this record, in a zone file:",
    ]
