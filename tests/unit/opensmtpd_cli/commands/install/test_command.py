"""Links to where smtpd looks for its plugins: made, refused, removed."""

import os
from pathlib import Path

import pytest

from opensmtpd_cli.commands.install import command as install
from opensmtpd_cli.commands.install import reach
from opensmtpd_cli.system import libexec
from unit.support.swap import Program

NAMES = ["filter-dkimsign", "filter-rdns", "table-flat"]


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The programs of an installation that all can reach."""
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).touch(0o755)
    every = {name: str(folder / name) for name in NAMES}
    monkeypatch.setattr(install, "installed", lambda: every)
    monkeypatch.setattr(reach, "closed", lambda files: None)
    monkeypatch.setattr(install, "owner", {}.get)
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where smtpd looks for its plugins."""
    folder = tmp_path / "libexec"
    folder.mkdir()
    monkeypatch.setattr(libexec, "LIBEXEC", (str(tmp_path / "not-here"), str(folder)))
    return folder


def links(folder: Path) -> dict[str, str]:
    return {path.name: os.readlink(path) for path in sorted(folder.iterdir()) if path.is_symlink()}


# --- made and removed -----------------------------------------------------------------------------


def test_all_programs_are_linked(run: Program, bin: Path, place: Path) -> None:
    said = run("install")
    assert (said.status, said.out) == (0, "")
    assert said.err.splitlines() == [
        *(f"linked {place}/{name} to {bin}/{name}" for name in NAMES),
        f"now smtpd.conf can name them: {bin}/filter-dkimsign --help shows how",
    ]
    assert links(place) == {name: f"{bin}/{name}" for name in NAMES}


def test_twice_is_once(run: Program, bin: Path, place: Path) -> None:
    run("install", "filter-rdns")
    assert links(place) == {"filter-rdns": f"{bin}/filter-rdns"}
    assert run("install", "filter-rdns") == (0, "", f"{place}: all is linked already\n")
    assert len(run("install").err.splitlines()) == len(NAMES)  # not the one that is there
    assert len(links(place)) == len(NAMES)


def test_quiet(run: Program, bin: Path, place: Path) -> None:
    assert run("--quiet", "install") == (0, "", "")
    assert run("--quiet", "install", "--undo") == (0, "", "")
    assert links(place) == {}


def test_another_directory(run: Program, bin: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    said = run("install", "--directory", tmp_path / "other", "table-flat")
    assert said.status == 0
    assert said.err.splitlines()[1:] == [
        f"{tmp_path}/other: smtpd does not look there: it finds filters by their paths, and no"
        " tables"
    ]
    assert links(tmp_path / "other") == {"table-flat": f"{bin}/table-flat"}
    assert links(place) == {}


def test_undo_removes_our_links_and_nothing_else(run: Program, bin: Path, place: Path) -> None:
    run("install")
    others = {"filter-x": "/usr/bin/x", "filter-y": "../venv/y", "mail.local": f"{bin}/table-flat"}
    for name, leads in others.items():
        (place / name).symlink_to(leads)
    (place / "table-x").write_text("a program\n")
    (place / "table-gone").symlink_to(bin / "table-gone")  # from a version that had it
    said = run("install", "--undo")
    gone = sorted([*NAMES, "table-gone"])
    assert said == (0, "", "".join(f"removed {place}/{name}\n" for name in gone))
    assert links(place) == others
    assert (place / "table-x").read_text() == "a program\n"


def test_undo_of_one(run: Program, bin: Path, place: Path) -> None:
    run("install")
    assert run("install", "--undo", "table-flat").err == f"removed {place}/table-flat\n"
    assert sorted(links(place)) == NAMES[:2]


def test_nothing_to_undo(run: Program, bin: Path, place: Path) -> None:
    said = run("install", "--undo")
    assert said == (0, "", f"{place}: there are no links of this installation\n")


# --- refused --------------------------------------------------------------------------------------


def refused(run: Program, *arguments: object) -> str:
    """Run it, see it refuse in one line, and return that without the program's name."""
    said = run("install", *arguments)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("opensmtpd-plugins: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("opensmtpd-plugins: ").rstrip("\n")


def test_what_packages_own_is_not_replaced(
    run: Program, bin: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "table-flat").write_text("a program\n")
    (place / "filter-rdns").symlink_to("/usr/lib/filter-rdns")
    owners = {f"{place}/table-flat": "tables", f"{place}/filter-rdns": "filters"}
    monkeypatch.setattr(install, "owner", owners.get)
    assert refused(run) == (
        f"{place}: not replaced: filter-rdns (package filters), table-flat (package tables);"
        " remove filters, tables, or link only the others:"
        " opensmtpd-plugins install filter-dkimsign"
    )
    assert links(place) == {"filter-rdns": "/usr/lib/filter-rdns"}
    assert (place / "table-flat").read_text() == "a program\n"


@pytest.mark.parametrize("leads", ["/nowhere/bin/table-flat", "../venv/bin/filter-rdns", None])
def test_what_nobody_owns_is_not_replaced(
    run: Program, bin: Path, place: Path, leads: str | None
) -> None:
    if leads:
        (place / "table-flat").symlink_to(leads)
    else:
        (place / "table-flat").mkdir()
    assert refused(run, "table-flat") == (
        f"{place}: not replaced: table-flat; move away what is no package's"
    )


def test_links_of_another_installation_are_not_replaced(
    run: Program, bin: Path, place: Path, tmp_path: Path
) -> None:
    other = tmp_path / "an other"
    other.mkdir()
    (other / "opensmtpd-plugins").touch(0o755)
    for name in NAMES[:2]:
        (place / name).symlink_to(other / name)
    before = links(place)
    reason = f"{place}: not replaced: filter-dkimsign, filter-rdns"
    remedy = f"undo the other installation: '{other}/opensmtpd-plugins' install --undo"
    rest = "link only the others: opensmtpd-plugins install table-flat"
    assert refused(run) == f"{reason}; {remedy}, or {rest}"
    assert run("install", "--undo").err == f"{place}: there are no links of this installation\n"
    (place / "table-flat").touch()
    assert refused(run) == f"{reason}, table-flat; {remedy}, or move away what is no package's"
    assert links(place) == before


def test_an_unknown_program(run: Program, bin: Path, place: Path) -> None:
    assert refused(run, "filter-nope") == (
        "there is no program filter-nope; there are filter-dkimsign filter-rdns table-flat"
    )


def test_programs_that_would_end_smtpd(
    run: Program, bin: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "find_spec", lambda name: None)
    lacks = "filter-dkimsign needs cryptography, of the extra dkim, and would end smtpd"
    remedy = "pip install 'opensmtpd-plugins[dkim]'"
    assert refused(run, "filter-dkimsign") == f"{lacks}; {remedy}"
    said = run("install")
    assert said.status == 0
    assert said.err.splitlines()[0] == f"left out: {lacks}"
    assert sorted(links(place)) == ["filter-rdns", "table-flat"]


@pytest.mark.parametrize("last", ["table-flat", "filter-rdns"])
def test_all_or_none(
    run: Program, bin: Path, place: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    make = os.symlink

    def full(to: str, name: str, *, dir_fd: int) -> None:
        if name == last:
            raise OSError(28, "No space left on device", name)
        make(to, name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "symlink", full)
    assert refused(run) == f"{place}: cannot be changed: No space left on device"
    assert links(place) == {}


def test_an_interrupt_leaves_no_link(
    run: Program, bin: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.symlink

    def interrupt(to: str, name: str, *, dir_fd: int) -> None:
        if name == "table-flat":
            raise KeyboardInterrupt
        make(to, name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "symlink", interrupt)
    assert run("install").status == 1
    assert links(place) == {}


def test_who_may_not(run: Program, bin: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, dir_fd: int) -> None:
        raise PermissionError(13, "Permission denied")

    (place / "table-flat").symlink_to(bin / "table-flat")
    monkeypatch.setattr(os, "symlink", denied)
    monkeypatch.setattr(os, "unlink", denied)
    monkeypatch.setattr(os, "access", lambda path, how, **_: path != str(place) or how != os.W_OK)
    monkeypatch.setattr(os, "getuid", lambda: 65534)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    wanted = (
        f"{place}: cannot be changed: Permission denied;"
        f" run this as root, or let user nobody write to the directory {place}"
    )
    assert refused(run) == wanted
    assert refused(run, "--undo") == wanted


def test_a_place_that_others_cannot_reach(
    run: Program, bin: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "closed", lambda files: "/root")
    assert refused(run) == (
        "/root: is closed to others, and smtpd runs its plugins as users of their own;"
        " install with pipx install --global, or with pip into a venv below /opt"
    )
    assert links(place) == {}


# --- where ----------------------------------------------------------------------------------------


def test_no_smtpd(run: Program, bin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libexec, "LIBEXEC", ("/nowhere/a", "/nowhere/b"))
    assert refused(run) == (
        "there is no smtpd here, nor a directory for its programs;"
        " install OpenSMTPD, or name the directory with --directory"
    )


def test_a_directory_without_a_name(run: Program, bin: Path, place: Path) -> None:
    """As of a variable that is not set: it must not be the directory of the system."""
    for more in ((), ("--undo",)):
        said = refused(run, "--directory", "", *more)
        assert said == "a directory without a name; name one with --directory"
    assert links(place) == {}


def test_two_places(
    run: Program, bin: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    both = (str(place), str(tmp_path / "other"))
    monkeypatch.setattr(libexec, "LIBEXEC", both)
    assert refused(run) == (
        "smtpd may look for its programs in several places;"
        f" name one of them with --directory: {' '.join(both)}"
    )


def test_the_place_that_smtpd_names(
    run: Program, bin: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "named"
    monkeypatch.setattr(libexec, "own", lambda: str(named))
    remedy = f"mkdir -p {named}"
    reason = "the directory where smtpd looks for its programs does not exist"
    assert refused(run) == f"{named}: {reason}; {remedy}"
    assert refused(run, "--directory", named) == f"{named}: no such directory; {remedy}"
    named.mkdir()
    run("install")
    assert sorted(links(named)) == NAMES
    assert links(place) == {}
