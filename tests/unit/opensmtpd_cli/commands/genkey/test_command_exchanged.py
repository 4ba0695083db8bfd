"""``genkey`` as root, where somebody else exchanges files and directories at each step.

No file outside of that somebody's directory may change or come into being.
"""

import grp
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd_cli.commands.genkey import key_file
from unit.support.dkim_material import ED25519_PEM
from unit.support.exchange import at_step, link_for_folder, links_for_files, state, theirs
from unit.support.swap import Program, Said

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root must not be led elsewhere")

Command = Callable[[Program, Path], Said]


@pytest.fixture(autouse=True)
def filter_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a group that there is on all systems stand for the filter's."""
    other = next(group for group in grp.getgrall() if group.gr_gid != 0)
    monkeypatch.setattr(key_file, "USER", other.gr_name)


def new_key(run: Program, folder: Path) -> Said:
    return _genkey(run, "--selector", "a", "--key", folder / "a.key")


def new_directory(run: Program, folder: Path) -> Said:
    key_file.DIRECTORY = str(folder / "dkim")  # taken back by the test
    return _genkey(run, "--selector", "a")


def rotate(run: Program, folder: Path) -> Said:
    return _genkey(run, "--rotate", folder / "keytable")


def _genkey(run: Program, *arguments: object) -> Said:
    return run("genkey", "--domain", "example.com", "--algorithm", "ed25519", *arguments)


COMMANDS = [new_key, new_directory, rotate]


def scene(root: Path) -> tuple[Path, Path]:
    """Make somebody's directory of keys anew, and one of root's with the same names."""
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    folder, victims = root / "yard" / "mail", root / "etc"
    for made in (folder, victims):
        made.mkdir(parents=True)
        (made / "keytable").write_text("example.com ed ed.key\n")
        (made / "ed.key").write_text(ED25519_PEM)
        (made / "ed.key").chmod(0o600)
    (victims / "shadow").write_text("root:secret\n")
    (victims / "dkim").mkdir(mode=0o700)
    for path in victims.iterdir():
        path.chmod(0o700 if path.is_dir() else 0o600)
    for path in (folder.parent, folder, *folder.iterdir()):
        theirs(path)
    return folder, victims


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", ["files", "folder"])
def test_nothing_else_is_touched(
    run: Program, place: Path, command: Command, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "DIRECTORY", "")
    steps, total = 0, 1
    while steps < total:
        folder, victims = scene(place)
        if what == "files":
            move = links_for_files(folder, victims / "shadow")
        else:
            move = link_for_folder(folder, victims)
        before = state(victims)
        with at_step(steps, move) as count:
            command(run, folder)
        assert state(victims) == before, f"step {steps} of {count[0]}"
        total = max(total, count[0])
        steps += 1
    assert total > 3


@pytest.mark.parametrize("command", COMMANDS)
def test_undisturbed_each_command_does_its_work(
    run: Program, place: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "DIRECTORY", "")
    said = command(run, scene(place)[0])
    assert said.status == 0, said.err
