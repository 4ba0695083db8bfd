"""What ``install`` asks of the system: where, whose, for whom, and what is installed at all."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from opensmtpd_cli.commands.install import command as linking
from opensmtpd_cli.commands.install import owner, reach
from opensmtpd_cli.system import libexec
from unit.support.swap import Program

# --- where ----------------------------------------------------------------------------------------

SMTPD = b'\x7fELF\0table_create\0%s/table-%%s\0table_create: path too long "%s/table-%%s"\0'


@pytest.mark.parametrize(
    ("binary", "wanted"),
    [
        (SMTPD % (b"/usr/local/libexec/smtpd", b"/x"), "/usr/local/libexec/smtpd"),
        (SMTPD % (b"/opt/a-b_c+d.1/libexec", b"/x"), "/opt/a-b_c+d.1/libexec"),
        (SMTPD % (b"/a", b"/a") * 2, "/a"),
        (SMTPD % (b"/a", b"/a") + SMTPD % (b"/b", b"/b"), None),
        (SMTPD % (b"libexec", b"/x"), None),
        (SMTPD % (b"/a/../b", b"/x"), None),
        (SMTPD % (b"/a/.", b"/x"), None),
        (SMTPD % (b"/a b", b"/x"), None),
        (SMTPD % (b"/%s", b"/x"), None),
        (SMTPD % (b"/a\n", b"/x"), None),
        (SMTPD % (b"", b"/x"), None),
        (b"", None),
    ],
)
def test_what_a_binary_says(tmp_path: Path, binary: bytes, wanted: str | None) -> None:
    (tmp_path / "smtpd").write_bytes(binary)
    assert libexec.asked(str(tmp_path / "smtpd")) == wanted


def test_what_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert [
        libexec.asked(str(path)) for path in (tmp_path, tmp_path / "fifo", tmp_path / "no")
    ] == [None] * 3


def test_a_real_smtpd_says_where(trixie_root: Path) -> None:
    assert libexec.asked(str(trixie_root / "usr/sbin/smtpd")) == "/usr/libexec/opensmtpd"


# --- whose ----------------------------------------------------------------------------------------

ANSWERS = {
    "dpkg-query": ("opensmtpd-table-sqlite: /x/p", "opensmtpd-table-sqlite"),
    "rpm": ("opensmtpd-tables", "opensmtpd-tables"),
    "pacman": ("opensmtpd", "opensmtpd"),
    "apk": ("/x/p is owned by opensmtpd-7.6.0_p1-r0", "opensmtpd-7.6.0_p1-r0"),
    "pkg_info": (
        "/x/p: opensmtpd-extras-7.6\\nopensmtpd-extras-7.6 extras",
        "opensmtpd-extras-7.6",
    ),
    "pkg": ("mail/opensmtpd-extras", "mail/opensmtpd-extras"),
}


@pytest.mark.parametrize("manager", ANSWERS)
def test_each_package_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str
) -> None:
    answer, name = ANSWERS[manager]
    script = f'#!/bin/sh\nfor path; do :; done\n[ "$path" = /x/p ] || exit 1\necho "{answer}"\n'
    (tmp_path / manager).write_text(script)
    (tmp_path / manager).chmod(0o755)
    monkeypatch.setattr(owner, "_PATH", str(tmp_path))
    assert owner.owner("/x/p") == name
    assert owner.owner("/x/q") is None


def test_a_package_manager_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rpm").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "rpm").chmod(0o755)
    monkeypatch.setattr(owner, "_PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(owner, "_ASK", ((("rpm", "-qf"), "(.*)"),))
    monkeypatch.setattr(owner, "_PATIENCE", 0.2)
    assert owner.owner("/x/p") is None


# --- reach ----------------------------------------------------------------------------------------


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
    assert found >= {"/x/filter-rdns", sys.executable, f"{sys.prefix}/pyvenv.cfg", *modules}
    packages = os.path.dirname(os.path.dirname(cryptography.__file__))
    assert found >= {packages, f"{packages}/cryptography"}  # Python lists them


# --- what is installed ----------------------------------------------------------------------------


def test_the_programs_of_this_installation() -> None:
    found = linking.installed()
    assert set(found) == {
        *("filter-dkimsign", "filter-dnsbl", "filter-fcrdns", "filter-rdns"),
        *("table-flat", "table-passwd", "table-sqlite"),
    }
    for name, path in found.items():
        said = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=True)
        assert said.stdout.startswith(name.encode() + b" (opensmtpd-plugins ")


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("arguments", [(), ("--undo",)])
def test_an_installation_by_a_package(
    run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: bool, arguments: str
) -> None:
    """A package may have pip's record, with names that the programs do not have in it."""
    about = tmp_path / "python3" / "dist-packages" / "opensmtpd_plugins-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Name: opensmtpd-plugins\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[console_scripts]\nfilter-rdns = a:b\n")
    if record:
        (about / "RECORD").write_text("../scripts/filter-rdns,,\n")
    distribution = metadata.Distribution.at(about)
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: distribution)
    said = run("install", *arguments)
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        "opensmtpd-plugins: pip has not installed this command, nor any programs;"
        " packages put them where smtpd looks for them: there is nothing to do\n"
    )
