"""One new file, and what others do in its directory while it is written."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system import users
from opensmtpd_cli.system.new_file import NewFile


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    """The open directory of the file."""
    here = os.open(tmp_path, os.O_RDONLY)
    yield here
    os.close(here)


def written(tmp_path: Path, folder: int) -> tuple[NewFile, Path]:
    """Return a file that is written, and the name that it has for now."""
    file = NewFile(str(tmp_path / "name"), folder, force=False)
    with file.writing(users.give_to_all) as stream:
        stream.write(b"content")
    (temporary,) = tmp_path.iterdir()
    return file, temporary


def test_it_has_another_name_until_it_is_placed(tmp_path: Path, folder: int) -> None:
    file, temporary = written(tmp_path, folder)
    assert temporary.name.startswith(".name.")
    assert temporary.stat().st_mode & 0o7777 == 0o644
    file.keep()
    file.place()
    file.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
    assert (tmp_path / "name").read_bytes() == b"content"


def test_nobody_else_can_read_it_before_it_is_whole(tmp_path: Path, folder: int) -> None:
    file = NewFile(str(tmp_path / "name"), folder, force=False)
    with file.writing(users.give_to_all):
        (temporary,) = tmp_path.iterdir()
        assert temporary.stat().st_mode & 0o7777 == 0o600


def test_a_name_that_is_exchanged_is_not_placed(tmp_path: Path, folder: int) -> None:
    file, temporary = written(tmp_path, folder)
    temporary.rename(tmp_path / "aside")
    temporary.symlink_to("/etc/passwd")
    file.keep()
    with pytest.raises(ConfigError, match="somebody exchanged it meanwhile; let nobody else"):
        file.place()
    assert not (tmp_path / "name").exists()


def test_a_name_that_is_taken_meanwhile_stays(tmp_path: Path, folder: int) -> None:
    file, _ = written(tmp_path, folder)
    (tmp_path / "name").symlink_to("/etc/passwd")
    file.keep()
    with pytest.raises(FileExistsError):
        file.place()
    file.undo()
    assert os.readlink(tmp_path / "name") == "/etc/passwd"


def test_what_is_to_be_replaced_must_be_the_same_still(tmp_path: Path, folder: int) -> None:
    (tmp_path / "name").write_bytes(b"old")
    file = NewFile(str(tmp_path / "name"), folder, force=True)
    with file.writing(users.give_to_all):
        pass
    (tmp_path / "name").rename(tmp_path / "aside")
    (tmp_path / "name").write_bytes(b"another")
    with pytest.raises(ConfigError, match="was changed meanwhile; try again"):
        file.keep()
    file.undo()
    assert (tmp_path / "name").read_bytes() == b"another"


def test_special_bits_are_not_taken_over(tmp_path: Path, folder: int) -> None:
    (tmp_path / "name").write_bytes(b"old")
    (tmp_path / "name").chmod(0o6750)
    file = NewFile(str(tmp_path / "name"), folder, force=True)
    with file.writing(users.give_to_all):
        pass
    file.keep()
    file.place()
    file.settle()
    assert (tmp_path / "name").stat().st_mode & 0o7777 == 0o750
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_a_long_name_of_many_bytes(tmp_path: Path, folder: int) -> None:
    file = NewFile(str(tmp_path / ("é" * 120)), folder, force=False)
    with file.writing(users.give_to_all):
        pass
    file.keep()
    file.place()
    file.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["é" * 120]


def test_a_name_on_the_way_that_somebody_has_made(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He would have to guess it, and it is of no use to him."""
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    (tmp_path / "victim").write_bytes(b"kept")
    for name in ("hard", "soft"):
        way = tmp_path / f".{name}.guessed"
        if name == "hard":
            way.hardlink_to(tmp_path / "victim")
        else:
            way.symlink_to("victim")
        file = NewFile(str(tmp_path / name), folder, force=False)
        with pytest.raises(FileExistsError) as error, file.writing(users.give_to_all):
            pass
        assert error.value.filename == str(tmp_path / name)
    assert (tmp_path / "victim").read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("before", "secret", "after"),
    [(0o644, True, 0o600), (0o604, True, 0o600), (0o640, True, 0o640), (0o644, False, 0o644)],
)
def test_a_secret_is_not_for_all_even_if_what_it_replaces_was(
    tmp_path: Path, folder: int, before: int, secret: bool, after: int
) -> None:
    (tmp_path / "name").write_bytes(b"old")
    (tmp_path / "name").chmod(before)
    file = NewFile(str(tmp_path / "name"), folder, force=True)
    with file.writing(lambda number: os.fchmod(number, 0o600), secret=secret):
        pass
    file.keep()
    file.place()
    file.settle()
    assert (tmp_path / "name").stat().st_mode & 0o7777 == after


def test_a_secret_is_for_all_at_no_time(tmp_path: Path, folder: int) -> None:
    """It takes time to look the group up whose members may read it."""
    (tmp_path / "name").write_text("was for all")
    (tmp_path / "name").chmod(0o644)
    file = NewFile(str(tmp_path / "name"), folder, force=True)
    modes = []

    def give(descriptor: int) -> None:
        modes.append(os.fstat(descriptor).st_mode & 0o7777)
        os.fchmod(descriptor, 0o640)

    with file.writing(give, secret=True) as stream:
        stream.write(b"password")
    assert modes == [0o640]


@pytest.mark.parametrize(
    ("force", "remedy"),
    [
        (False, "remove it, choose another place, or replace it with --force"),
        (None, "remove it, or rename it"),
    ],
)
def test_the_remedy_is_one_that_the_command_has(
    tmp_path: Path, folder: int, force: bool | None, remedy: str
) -> None:
    (tmp_path / "name").write_text("")
    with pytest.raises(ConfigError, match=f"is there already; {remedy}$"):
        NewFile(str(tmp_path / "name"), folder, force=force)
