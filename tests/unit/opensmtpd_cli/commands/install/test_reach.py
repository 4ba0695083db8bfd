"""The files of an installation, and the first of them that is closed to others."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensmtpd_cli.commands.install import reach


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that all can reach; pytest's own are closed."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a").mkdir(0o755)
        (folder / "a" / "file").touch(0o644)
        yield folder


def test_what_all_can_reach(open_folder: Path) -> None:
    (open_folder / "link").symlink_to("a/file")
    assert reach.closed([str(open_folder / "a/file"), str(open_folder / "link")]) is None


def test_a_folder_that_cannot_be_listed(open_folder: Path) -> None:
    (open_folder / "a").chmod(0o711)
    assert reach.closed([str(open_folder / "a/file")]) is None
    assert reach.closed([str(open_folder / "a")]) == str(open_folder / "a")


@pytest.mark.parametrize(("name", "mode"), [("a", 0o750), ("a/file", 0o640), ("", 0o700)])
@pytest.mark.parametrize("link", [False, True])
def test_what_is_closed(open_folder: Path, name: str, mode: int, link: bool) -> None:
    path = open_folder / "a/file"
    with tempfile.TemporaryDirectory(dir="/tmp") as other:
        Path(other).chmod(0o755)
        if link:
            first, second = Path(other, "first"), Path(other, "second")
            first.symlink_to("second")
            second.symlink_to(path)
            path = first
        assert reach.closed([str(path)]) is None
        (open_folder / name).chmod(mode)
        assert reach.closed([str(path)]) == str(open_folder / name)


def test_a_closed_folder_in_the_middle_of_links(open_folder: Path) -> None:
    (open_folder / "middle").mkdir(0o700)
    (open_folder / "middle" / "link").symlink_to("../a/file")
    (open_folder / "link").symlink_to("middle/link")
    assert reach.closed([str(open_folder / "link")]) == str(open_folder / "middle")


def test_what_an_installation_consists_of() -> None:
    found = set(reach.parts(["/x/filter-rdns"], ["cryptography", "not_there"]))
    import cryptography

    import opensmtpd
    import opensmtpd_filters

    modules = {module.__file__ for module in (os, cryptography, opensmtpd, opensmtpd_filters)}
    assert found >= {"/x/filter-rdns", sys.executable, *modules}
    config = f"{sys.prefix}/pyvenv.cfg"  # of a .venv
    assert (config in found) == os.path.exists(config)
    packages = os.path.dirname(os.path.dirname(cryptography.__file__))
    assert found >= {packages, f"{packages}/cryptography"}  # Python lists them
