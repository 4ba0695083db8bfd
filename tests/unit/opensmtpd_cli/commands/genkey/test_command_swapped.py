"""``genkey`` in a directory that somebody else may write to, and swaps for links meanwhile.

On many servers the directory of the keys is the filter's own, as the C package has it. An attacker
who has broken into the filter must not have root write, replace or remove a file outside of it.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from unit.support.dkim_material import ED25519_PEM
from unit.support.new_keys import state
from unit.support.swap import Program, Said

pytestmark = pytest.mark.usefixtures("nobody_special")


NAME = "example.com.ed2.key"
TEXT = "example.com ed sub/ed.key\n"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder that somebody else may write to: the table is a link to a folder in it."""
    folder = tmp_path / "theirs"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "ed.key").write_text(ED25519_PEM)
    (folder / "sub" / "ed.key").chmod(0o600)
    (folder / "sub" / "passwd").write_text(TEXT)
    (folder / "table").symlink_to("sub/passwd")
    return folder


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder with files of the same names, which are not theirs."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (folder / NAME).write_text("kept\n")
    return folder


def exchange(
    patch: pytest.MonkeyPatch, name: str, theirs: Path, victim: Path, when: Callable[..., bool]
) -> None:
    """Have the folder be a link to the victim's while a call is made, and only then."""
    real: Callable[..., Any] = getattr(os, name)

    def call(*arguments: Any, **more: Any) -> Any:
        with exchanged(theirs, victim) if when(*arguments) else no_exchange():
            return real(*arguments, **more)

    patch.setattr(os, name, call)


@contextmanager
def exchanged(theirs: Path, victim: Path) -> Iterator[None]:
    link = theirs / "link"
    if not link.is_symlink():
        link.symlink_to(victim)
    (theirs / "sub").rename(theirs / "aside")
    link.rename(theirs / "sub")
    try:
        yield
    finally:
        (theirs / "sub").rename(link)
        (theirs / "aside").rename(theirs / "sub")


@contextmanager
def no_exchange() -> Iterator[None]:
    yield


def always(*_: object) -> bool:
    return True


def hidden(path: object, *_: object) -> bool:
    """Tell whether it is the new table, which has another name at first."""
    return isinstance(path, str) and os.path.basename(path).startswith(".")


def rotate(run: Program, theirs: Path) -> Said:
    return run("genkey", "--domain", "example.com", "--rotate", theirs / "table")


def test_another_file_is_not_replaced(
    run: Program, theirs: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(victim)
    with monkeypatch.context() as patch:
        exchange(patch, "open", theirs, victim, hidden)
        exchange(patch, "replace", theirs, victim, always)
        said = rotate(run, theirs)
    assert state(victim) == before
    assert said.status == 0
    assert (theirs / "sub" / "passwd").read_text() == f"{TEXT}example.com ed2 sub/{NAME}\n"


def test_another_file_is_not_removed(
    run: Program, theirs: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before, own = state(victim), state(theirs / "sub")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        exchange(patch, "unlink", theirs, victim, always)
        said = rotate(run, theirs)
    assert said.err == f"opensmtpd-plugins: {theirs}/sub/passwd: No space left on device\n"
    assert state(victim) == before
    assert state(theirs / "sub") == own
