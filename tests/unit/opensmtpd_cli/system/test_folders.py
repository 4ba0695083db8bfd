"""Directories that are walked to, and links on the way: whose they may be."""

import os
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system import acting, folders
from unit.support.exchange import NOBODY, theirs

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def reached(path: Path) -> str:
    """Return the directory that is opened, by its number."""
    here = folders.opened(str(path))
    try:
        return f"{os.fstat(here).st_dev}:{os.fstat(here).st_ino}"
    finally:
        os.close(here)


def number(path: Path) -> str:
    return f"{path.stat().st_dev}:{path.stat().st_ino}"


def test_a_directory_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert reached(tmp_path / "a" / "b") == number(tmp_path / "a" / "b")
    assert reached(Path("/")) == number(Path("/"))


@pytest.mark.parametrize("leads", ["real", "{}/real", "./real/../real", "real/", "other"])
def test_our_own_links_are_followed(tmp_path: Path, leads: str) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "other").symlink_to("real")
    (tmp_path / "link").symlink_to(leads.format(tmp_path))
    assert reached(tmp_path / "link" / "sub") == number(tmp_path / "real" / "sub")
    assert folders.way(str(tmp_path / "link" / "sub")).path == str(tmp_path / "real" / "sub")


def test_links_without_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels of symbolic links") as error:
        folders.opened(str(tmp_path / "a"))
    assert error.value.filename == str(tmp_path / "a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        folders.behind(str(tmp_path / "a"))


@pytest.mark.parametrize("name", ["none", "file"])
def test_what_is_no_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / name / "more")
    with pytest.raises((FileNotFoundError, NotADirectoryError)) as error:
        folders.opened(path)
    assert error.value.filename == path


@root
def test_a_link_of_somebody_else_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    theirs(tmp_path / "link")
    with pytest.raises(ConfigError) as error:
        folders.opened(str(tmp_path / "link"))
    assert str(error.value) == (
        f"{tmp_path}/link: link is a symbolic link of user nobody, and is not followed;"
        " give the path that it leads to"
    )
    with pytest.raises(ConfigError, match="link of user nobody"):
        folders.behind(str(tmp_path / "link"))


def test_a_link_that_is_exchanged_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    readlink = os.readlink

    def exchange(name: str, **options: int) -> str:
        (tmp_path / "link").rename(tmp_path / "aside")
        (tmp_path / "link").symlink_to("/etc")
        return readlink(name, **options)

    monkeypatch.setattr(os, "readlink", exchange)
    with pytest.raises(ConfigError, match="link was changed meanwhile; try again"):
        folders.opened(str(tmp_path / "link"))


def test_the_file_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(tmp_path / "file")
    assert folders.behind(str(tmp_path / "one")) == str(tmp_path / "file")
    assert folders.behind(str(tmp_path / "file")) == str(tmp_path / "file")


@root
@pytest.mark.parametrize(
    ("mode", "owner", "wanted"),
    [
        (0o755, 0, []),
        (0o700, NOBODY, [NOBODY]),
        (0o775, 0, [-1]),
        (0o1777, 0, [-1]),  # SQLite's journals can be put there by anybody
    ],
)
def test_who_can_bend_the_way(tmp_path: Path, mode: int, owner: int, wanted: list[int]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, owner, -1)
    assert folders.way(str(folder)).owners == wanted


@root
def test_what_is_ours_in_a_directory_for_all_stays_ours(tmp_path: Path) -> None:
    (tmp_path / "all" / "ours").mkdir(parents=True)
    (tmp_path / "all").chmod(0o1777)
    assert folders.way(str(tmp_path / "all" / "ours")).owners == []
    (tmp_path / "all").chmod(0o777)
    assert folders.way(str(tmp_path / "all" / "ours")).owners == [-1]


@root
def test_a_directory_that_may_be_passed_but_not_listed(place: Path) -> None:
    (place / "shut" / "sub").mkdir(parents=True)
    (place / "shut").chmod(0o711)
    with acting.being(NOBODY):
        assert reached(place / "shut" / "sub") == number(place / "shut" / "sub")
        assert folders.way(str(place / "shut")).path == str(place / "shut")
        assert folders.behind(str(place / "shut" / "file")) == str(place / "shut" / "file")


@root
def test_a_directory_that_may_not_be_entered_is_named_in_the_remedy(place: Path) -> None:
    (place / "shut").mkdir(0o700)
    path = str(place / "shut" / "file")
    with acting.being(NOBODY), pytest.raises(PermissionError) as error:
        folders.behind(path)
    assert error.value.filename == path
