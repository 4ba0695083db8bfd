"""Which file systems are local ones."""

import os
import sys
from pathlib import Path

import pytest

from opensmtpd.backends import local
from opensmtpd.backends.local import is_local
from opensmtpd.needs import Needs
from unit.support.confined import missing, tried

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a b" / "test.db"
    path.parent.mkdir()
    path.touch()
    return path


def judged(path: Path, *mounts: tuple[str, str, str]) -> bool:
    """Judge a file, where these are mounted: device, place, type."""
    table = path.with_name("mounts")
    lines = [
        f"{number} 1 {device} / {place} rw,relatime shared:1 - {kind} /dev/x rw\n"
        for number, (device, place, kind) in enumerate(mounts)
    ]
    table.write_text("".join(lines))
    return is_local(str(path), str(table))


def device(path: Path) -> str:
    number = path.stat().st_dev
    return f"{os.major(number)}:{os.minor(number)}"


@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs", "zfs"])
def test_local_ones(path: Path, kind: str) -> None:
    assert judged(path, ("0:99", "/", "nfs4"), (device(path), "/elsewhere", kind))


@pytest.mark.parametrize("kind", ["nfs4", "nfs", "cifs", "9p", "fuse.sshfs", "virtiofs", "ceph"])
def test_others(path: Path, kind: str) -> None:
    assert not judged(path, ("0:99", "/", "ext4"), (device(path), "/elsewhere", kind))


def test_a_device_that_is_not_listed_is_found_by_its_place(path: Path) -> None:
    """Each subvolume of btrfs has a device of its own."""
    folder = str(path.parent).replace(" ", "\\040")
    assert judged(path, ("0:98", "/", "nfs4"), ("0:99", folder, "btrfs"))
    assert not judged(path, ("0:98", "/", "ext4"), ("0:99", folder, "fuse.x"))
    assert not judged(path, ("0:98", "/", "ext4"), ("0:99", folder, "btrfs"), ("0:97", folder, "x"))
    assert judged(path, ("0:98", "/", "ext4"), ("0:99", f"{folder}x", "nfs4"))


def test_a_link_counts_as_what_it_leads_to(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    folder = str(path.parent).replace(" ", "\\040")
    mounts = path.with_name("mounts")
    judged(path, ("0:98", "/", "nfs4"), ("0:99", folder, "btrfs"))
    assert is_local(str(link), str(mounts))


def test_where_nothing_is_known(path: Path, tmp_path: Path) -> None:
    assert not judged(path)
    assert not is_local(str(path), str(tmp_path / "none"))
    mounts = tmp_path / "short"
    mounts.write_text("1 2 3\n\n")
    assert not is_local(str(path), str(mounts))
    assert not is_local(str(tmp_path / "none"))


def test_a_system_that_does_not_tell(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensmtpd.backends.local.sys.platform", "openbsd7")
    assert is_local(str(path), "/none")


@pytest.mark.skipif(bool(missing()), reason=f"this machine has no sandbox: {missing()}")
def test_in_the_sandbox_the_mounts_can_be_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database is opened there anew when it was replaced, and after an update."""
    monkeypatch.setattr(local, "LOCAL", Every())
    needs = Needs(reads=(str(path.parent),))

    def twice() -> list[bool]:
        return [is_local(str(path)) for _ in range(2)]

    local.prepare()
    assert tried(needs, twice) == [True, True]


class Every:
    """Holds each type of file system, whatever the tests run on."""

    def __contains__(self, type: str) -> bool:
        return bool(type)
