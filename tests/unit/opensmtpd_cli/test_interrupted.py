"""Commands that a signal ends, at each step: all is as before, or all is done."""

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opensmtpd_cli import __main__ as program
from opensmtpd_cli import terminal
from opensmtpd_cli.commands.genkey import key_file
from opensmtpd_cli.commands.install import command as install
from opensmtpd_cli.commands.install import reach
from opensmtpd_cli.database import schema
from unit.support.dkim_material import ED25519_PEM
from unit.support.exchange import at_step
from unit.support.swap import Program, Said, guide, listing, smtpd_conf

pytestmark = pytest.mark.usefixtures("quick_hash")


@pytest.fixture(autouse=True)
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have SIGINT handled as it is outside of the tests, and a password and a program be there."""
    monkeypatch.setattr(terminal, "password", lambda prompt, twice: "one")
    monkeypatch.setattr(install, "installed", lambda: {"filter-x": "/x", "filter-y": "/y"})
    monkeypatch.setattr(install, "owner", {}.get)
    monkeypatch.setattr(reach, "closed", lambda files: None)
    monkeypatch.setattr(key_file, "group", lambda: None)
    old = signal.signal(signal.SIGINT, program._end)
    yield
    signal.signal(signal.SIGINT, old)


def fresh_import(run: Program, mail: Path, folder: Path) -> Said:
    return run("import", mail / "smtpd.conf", folder / "new.db")


def forced_import(run: Program, mail: Path, folder: Path) -> Said:
    return run("import", "--force", mail / "smtpd.conf", folder / "old.db")


def export(run: Program, mail: Path, folder: Path) -> Said:
    return run("export", mail / "smtpd.db", folder)


def user_add(run: Program, mail: Path, folder: Path) -> Said:
    return run("user", "add", folder / "old.db", "carol")


def new_key(run: Program, mail: Path, folder: Path) -> Said:
    return run(*_GENKEY, "--selector", "a", "--key", folder / "a.key")


def rotate(run: Program, mail: Path, folder: Path) -> Said:
    return run(*_GENKEY, "--rotate", folder / "keytable")


def links(run: Program, mail: Path, folder: Path) -> Said:
    return run("install", "--directory", folder)


_GENKEY = ("genkey", "--domain", "example.com", "--algorithm", "ed25519")
COMMANDS = [fresh_import, forced_import, export, user_add, new_key, rotate, links]


def scene(run: Program, root: Path, command: object) -> tuple[Path, Path]:
    """Make a folder for the files of the command, and one with what it reads."""
    mail, folder = root / "mail", root / "folder"
    for made in (mail, folder):
        made.mkdir()
    conf = guide(mail)
    assert run("import", conf, mail / "smtpd.db").status == 0
    if command in (forced_import, user_add):
        other = conf if command is forced_import else smtpd_conf(folder, "table few { x }\n")
        assert run("import", other, folder / "old.db").status == 0
    (folder / "keytable").write_text("example.com ed ed.key\n")
    (folder / "ed.key").write_text(ED25519_PEM)
    (folder / "ed.key").chmod(0o600)
    return mail, folder


def again(root: Path, kept: Path) -> None:
    """Have the scene as it was kept: to make it takes far longer than to copy it."""
    shutil.rmtree(root)
    shutil.copytree(kept, root, symlinks=True)


def found(folder: Path) -> dict[str, object]:
    """Return what there is: names, links, the lines of the key table, the users."""
    found: dict[str, object] = dict.fromkeys(listing(folder))
    found |= {path.name: path.lstat().st_nlink for path in folder.iterdir()}
    found["keytable"] = (folder / "keytable").read_text()
    if (folder / "old.db").exists():
        db = schema.connect(str(folder / "old.db"))
        found["tables"] = [entry.name for entry in schema.entries(db)]
        db.close()
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_done_by_halves(
    run: Program, tmp_path: Path, command: Callable[[Program, Path, Path], Said]
) -> None:
    root, kept = tmp_path / "scene", tmp_path / "kept"
    root.mkdir()
    mail, folder = scene(run, root, command)
    shutil.copytree(root, kept, symlinks=True)
    for _ in range(2):  # the first run opens modules besides
        again(root, kept)
        before = found(folder)
        with at_step(-1, lambda: None) as count:
            assert command(run, mail, folder).status == 0
    after, total = found(folder), count[0]
    assert total > 3
    for step in range(total):
        again(root, kept)
        with at_step(step, lambda: signal.raise_signal(signal.SIGINT)):
            said = command(run, mail, folder)
        assert found(folder) in (before, after), f"step {step} of {total}"
        assert said.status == 128 + signal.SIGINT
