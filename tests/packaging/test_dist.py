"""Wheel and sdist: what is in them, and that they are the same bytes wherever they are built."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.root.plugin import TREE

PACKAGES = {
    "opensmtpd": "src",
    "opensmtpd_cli": "src",
    "opensmtpd_filters": "filters",
    "opensmtpd_tables": "tables",
}
"""Each package, and the folder that it stands in."""
FOLDERS = ("src", "filters", "tables", "examples", "docs", "packaging", "tests", "bench")
"""Folders of the sdist."""
FILES = {
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "pyproject.toml",
}
"""What else is in the sdist: all of it is needed to build, test and package, but for the words."""
LEFT = "tests/unit/__pycache__/left.cpython-311.pyc", "tests/.pytest_cache/left", "dist/left"
"""What lies about in a tree that somebody works in."""
LONG_AGO = 1_000_000_000
PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]


class Dist(NamedTuple):
    """What was built."""

    sdist: Path
    wheel: Path


def build(tree: Path, out: Path, umask: int = 0o022) -> Dist:
    """Build both without a network: hatchling is here."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", out],
        cwd=tree, umask=umask, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Dist(sdist, wheel)


def ours() -> set[str]:
    """Return the files of the tree that belong into an sdist."""
    found = set(FILES)
    for folder in FOLDERS:
        for path in (TREE / folder).rglob("*"):
            inner = path.relative_to(TREE)
            lying = {"__pycache__", ".pytest_cache", ".hypothesis", "results"} & set(inner.parts)
            if path.is_file() and not lying:
                found.add(str(inner))
    return found


def copy(to: Path, *, umask: int, git: bool, left: bool) -> Path:
    """Copy the tree, as somebody else would have it who made it with that umask, long ago."""
    for name in sorted(ours()):
        new = to / name
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TREE / name, new, follow_symlinks=False)
        if not new.is_symlink():
            new.chmod((0o777 if os.access(TREE / name, os.X_OK) else 0o666) & ~umask)
        os.utime(new, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    for name in LEFT if left else ():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text("left\n")
    if git:
        subprocess.run(["git", "init", "--quiet", to], check=True)
    return to


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    return build(TREE, tmp_path_factory.mktemp("dist"))


@pytest.fixture(autouse=True)
def no_fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build for Debian, which this may run in, sets it."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.mark.parametrize(("umask", "git", "left"), [(0o077, False, False), (0o002, True, True)])
def test_the_same_bytes_from_another_copy(
    dist: Dist, tmp_path: Path, umask: int, git: bool, left: bool
) -> None:
    tree = copy(tmp_path / "elsewhere", umask=umask, git=git, left=left)
    again = build(tree, tmp_path / "out", umask)
    assert again.sdist.read_bytes() == dist.sdist.read_bytes()
    assert again.wheel.read_bytes() == dist.wheel.read_bytes()


def test_the_sdist_makes_the_same_sdist_and_wheel(dist: Dist, tmp_path: Path) -> None:
    subprocess.run(["tar", "--extract", "--file", dist.sdist], cwd=tmp_path, check=True)
    again = build(tmp_path / dist.sdist.name.removesuffix(".tar.gz"), tmp_path / "out")
    assert again.wheel.read_bytes() == dist.wheel.read_bytes()
    assert again.sdist.read_bytes() == dist.sdist.read_bytes()


def test_what_is_in_the_sdist(dist: Dist) -> None:
    with tarfile.open(dist.sdist) as archive:
        members = {member.name.partition("/")[2]: member for member in archive}
    assert set(members) - ours() == {"PKG-INFO"}
    assert ours() - set(members) == set()
    for name in ours():
        path, member = TREE / name, members[name]
        assert member.issym() == path.is_symlink()
        assert member.issym() or bool(member.mode & 0o111) == os.access(path, os.X_OK), name
    assert {"packaging/man/filter-dkimsign.8", "tests/lab/root/root.py", "Makefile"} <= set(members)


def test_what_is_in_the_wheel(dist: Dist) -> None:
    modules = {
        str(path.relative_to(TREE / folder))
        for package, folder in PACKAGES.items()
        for path in (TREE / folder / package).rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    info = f"{PROJECT['name'].replace('-', '_')}-{PROJECT['version']}.dist-info"
    with zipfile.ZipFile(dist.wheel) as archive:
        names = set(archive.namelist())
        scripts = ConfigParser()
        scripts.read_string(archive.read(f"{info}/entry_points.txt").decode())
    about = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    pages = {path.name for path in (TREE / "packaging/man").iterdir()}
    data = f"{info.removesuffix('dist-info')}data/data/share/man"
    assert names - modules == {f"{info}/{name}" for name in about} | {
        f"{data}/man{page[-1]}/{page}" for page in pages
    }
    assert "filter-dkimsign.8" in pages
    assert modules - names == set()
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert dict(scripts["console_scripts"]) == PROJECT["scripts"]


def test_the_index_would_take_them(dist: Dist) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *dist],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall("PASSED|WARNING|FAILED", done.stdout) == ["PASSED", "PASSED"]
