"""Root works where somebody else may write, who exchanges files and directories at each step.

Nothing outside of that somebody's directories may change: no content, no mode, no owner.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd_cli import terminal
from opensmtpd_cli.commands.install import command as install
from opensmtpd_cli.commands.install import reach
from opensmtpd_cli.system import users
from unit.support.exchange import (
    at_step,
    link_for_folder,
    links_for_files,
    state,
    theirs,
)
from unit.support.swap import Program, Said, guide

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="root is who must not be led elsewhere"),
    pytest.mark.usefixtures("quick_hash", "group"),
]

Command = Callable[[Program, Path, Path], Said]


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new databases be readable for a group that there is on all systems."""
    monkeypatch.setattr(users, "USERS", ("daemon",))


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a password to the command that wants one."""
    monkeypatch.setattr(terminal, "password", lambda prompt, twice: "one")


@pytest.fixture(autouse=True)
def programs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an installation with one program."""
    monkeypatch.setattr(install, "installed", lambda: {"filter-x": f"{place}/filter-x"})
    monkeypatch.setattr(install, "owner", {}.get)
    monkeypatch.setattr(reach, "closed", lambda files: None)


def fresh_import(run: Program, conf: Path, folder: Path) -> Said:
    return run("import", conf, folder / "new.db")


def forced_import(run: Program, conf: Path, folder: Path) -> Said:
    return run("import", "--force", conf, folder / "smtpd.db")


def export(run: Program, conf: Path, folder: Path) -> Said:
    return run("export", conf.parent / "smtpd.db", folder)


def forced_export(run: Program, conf: Path, folder: Path) -> Said:
    return run("export", "--force", conf.parent / "smtpd.db", folder)


def export_of_theirs(run: Program, conf: Path, folder: Path) -> Said:
    return run("export", "--force", folder / "smtpd.db", conf.parent / "out")


def alias_add(run: Program, conf: Path, folder: Path) -> Said:
    return run("alias", "add", folder / "smtpd.db", "carol", "carol@example.org")


def alias_list(run: Program, conf: Path, folder: Path) -> Said:
    return run("alias", "list", folder / "smtpd.db")


def user_add(run: Program, conf: Path, folder: Path) -> Said:
    return run("user", "add", folder / "smtpd.db", "carol")


def links(run: Program, conf: Path, folder: Path) -> Said:
    return run("install", "--directory", folder)


def no_links(run: Program, conf: Path, folder: Path) -> Said:
    return run("install", "--undo", "--directory", folder)


COMMANDS = [
    fresh_import,
    forced_import,
    export,
    forced_export,
    export_of_theirs,
    alias_add,
    alias_list,
    user_add,
    links,
    no_links,
]


class Scene:
    """Somebody's directory with a database, and files of root's with the same names elsewhere."""

    def __init__(self, run: Program, root: Path, command: Command) -> None:
        self.root = root
        self.yard = root / "yard"
        self.folder = self.yard / "mail"
        self.victims = root / "etc"
        (root / "mail").mkdir()
        self.conf = guide(root / "mail")
        assert run("import", self.conf, root / "mail" / "smtpd.db").status == 0
        for folder in (self.folder, self.victims):
            folder.mkdir(parents=True)
            for name in ("smtpd.db", "aliases.conf", "users.conf"):
                shutil.copy(root / "mail" / name, folder)
        (self.conf.parent / "out").mkdir()
        for folder in (self.folder, self.victims) if command is fresh_import else ():
            for path in folder.glob("*.conf"):
                path.unlink()
        if command is no_links:
            (self.folder / "filter-x").symlink_to(root / "filter-x")
        for name in ("aliases", "users") if command is forced_export else ():
            (self.folder / name).touch()
        if command is not links:
            (self.victims / "filter-x").symlink_to(root / "filter-x")
        (self.victims / "aliases").write_text("kept\n")
        (self.victims / "shadow").write_text("root:secret\n")
        for path in self.victims.iterdir():
            if not path.is_symlink():
                path.chmod(0o600)
        self._give()

    def _give(self) -> None:
        for path in (self.yard, self.folder, *self.folder.iterdir()):
            theirs(path)

    def keep(self, folder: Path) -> None:
        """Copy the scene as it is now, for ``again``: an import takes far longer than a copy."""
        self._kept = folder
        shutil.copytree(self.root, folder, symlinks=True)

    def again(self) -> None:
        """Have the scene as it was kept."""
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.copytree(self._kept, self.root, symlinks=True, dirs_exist_ok=True)
        self._give()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", ["files", "folder"])
def test_nothing_else_is_touched(
    run: Program,
    place: Path,
    tmp_path: Path,
    command: Command,
    what: str,
) -> None:
    scene = Scene(run, place, command)
    scene.keep(tmp_path / "kept")
    for step in range(_steps(run, scene, command)):
        scene.again()
        if what == "files":
            move = links_for_files(scene.folder, scene.victims / "shadow")
        else:
            move = link_for_folder(scene.folder, scene.victims)
        before = state(scene.victims)
        with at_step(step, move):
            command(run, scene.conf, scene.folder)
        assert state(scene.victims) == before, f"step {step}"
        assert os.geteuid() == 0


def _steps(run: Program, scene: Scene, command: Command) -> int:
    """Return how many steps a command has that nobody disturbs."""
    with at_step(-1, lambda: None) as count:
        said = command(run, scene.conf, scene.folder)
        assert said.status == 0
        assert "there are no links" not in said.err
    return count[0]


@pytest.mark.parametrize("command", [alias_add, alias_list, user_add, forced_import])
def test_a_second_name_of_a_database_of_roots(run: Program, place: Path, command: Command) -> None:
    """SQLite would write the pages of a journal that lies beside it into the database of root."""
    scene = Scene(run, place, command)
    (scene.folder / "smtpd.db").unlink()
    os.link(scene.victims / "smtpd.db", scene.folder / "smtpd.db")
    before = state(scene.victims)
    said = command(run, scene.conf, scene.folder)
    assert said.status == 1
    assert state(scene.victims) == before


def test_a_link_to_a_database_of_roots(run: Program, place: Path) -> None:
    scene = Scene(run, place, alias_add)
    (scene.folder / "smtpd.db").unlink()
    (scene.folder / "smtpd.db").symlink_to(scene.victims / "smtpd.db")
    theirs(scene.folder / "smtpd.db")
    before = state(scene.victims)
    for command in (alias_add, alias_list, user_add, forced_import, export_of_theirs):
        said = command(run, scene.conf, scene.folder)
        assert "smtpd.db is a symbolic link of user nobody, and is not followed" in said.err
        assert said.status == 1
    assert state(scene.victims) == before
