"""Whether smtpd's user can read what import writes, with the directories on the way to it."""

import os
import pwd
from pathlib import Path

import pytest

from opensmtpd_cli.system import readers, users
from unit.support.exchange import NOBODY
from unit.support.swap import Program, guide

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as somebody else")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def smtpd(monkeypatch: pytest.MonkeyPatch) -> str:
    """Have nobody be smtpd's user, and return the name of the group."""
    group = pwd.getpwuid(NOBODY)
    monkeypatch.setattr(users, "USERS", ("no-such-group", group.pw_name, "nogroup"))
    return "nogroup"


@root
def test_the_group_of_smtpd_reads_it(run: Program, mail: Path, place: Path, smtpd: str) -> None:
    said = run("import", guide(mail), place / "smtpd.db")
    assert f"{place}/smtpd.db: readable for the group {smtpd}\n" in said.err
    assert mode(place / "smtpd.db") == 0o640
    assert mode(place / "users.conf") == 0o644


@root
@pytest.mark.parametrize("mode", [0o700, 0o750, 0o754])
def test_a_directory_that_smtpd_cannot_enter(
    run: Program, mail: Path, place: Path, smtpd: str, mode: int
) -> None:
    (place / "shut" / "sub").mkdir(parents=True)
    (place / "shut").chmod(mode)
    said = run("--quiet", "import", guide(mail), place / "shut" / "sub" / "smtpd.db")
    assert said.status == 0
    assert said.err == (
        f"{place}/shut/sub/smtpd.db: smtpd cannot read it;"
        f" let user nobody enter the directory {place}/shut\n"
    )


@root
def test_configuration_files_that_smtpd_cannot_reach(
    run: Program, mail: Path, place: Path, smtpd: str
) -> None:
    (place / "shut").mkdir(0o700)
    said = run("--quiet", "import", "--config-dir", place / "shut", guide(mail), place / "smtpd.db")
    (line,) = said.err.splitlines()
    assert line.startswith(f"{place}/shut/")
    assert line.endswith(
        f".conf: smtpd cannot read it; let user nobody enter the directory {place}/shut"
    )


@root
def test_replaced_files_that_only_root_could_read(
    run: Program, mail: Path, place: Path, smtpd: str
) -> None:
    """They keep their mode."""
    conf = guide(mail)
    assert run("import", conf, place / "smtpd.db").status == 0
    for name in ("aliases", "users"):
        (place / f"{name}.conf").chmod(0o600)
    said = run("--quiet", "import", "--force", conf, place / "smtpd.db")
    assert said.err == (
        f"{place}/aliases.conf: smtpd cannot read it; let user nobody read it\n"
        f"{place}/users.conf: smtpd cannot read it; let user nobody read it\n"
    )


@root
def test_what_a_user_lacks(place: Path) -> None:
    (place / "shut").mkdir(0o700)
    (place / "shut" / "file").touch(0o644)
    (place / "file").touch(0o644)
    assert readers.lacking_of("nobody", str(place / "file")) == ""
    assert readers.lacking_of("nobody", str(place / "shut" / "file")) == (
        f"let user nobody enter the directory {place}/shut"
    )
    assert readers.lacking_of("no-such-user", str(place / "shut" / "file")) == ""


def test_no_other_group_reads_it(
    run: Program, mail: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are password hashes in it."""
    monkeypatch.setattr(users, "USERS", ("no-such-group",))
    said = run("--quiet", "import", guide(mail), place / "smtpd.db")
    assert mode(place / "smtpd.db") == 0o600
    assert mode(place / "users.conf") == 0o644
    assert said.err == (
        f"{place}/smtpd.db: smtpd cannot read it; let smtpd's user read it:"
        f" chgrp _smtpd {place}/smtpd.db && chmod 640 {place}/smtpd.db"
        " (on Debian: chgrp opensmtpd)\n"
    )


def test_who_is_not_root_goes_by_the_modes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(users, "USERS", ("no-such-group",))
    (place / "sub").mkdir(0o750)
    (place / "sub" / "more").mkdir(0o700)
    (place / "sub" / "more" / "file").touch(0o644)
    path = str(place / "sub" / "more" / "file")
    assert readers.lacking(path) == f"let smtpd's user enter {place}/sub, {place}/sub/more"
    monkeypatch.setattr(users, "USERS", (users.group_of(str(place)),))
    assert readers.lacking(path) == f"let smtpd's user enter {place}/sub/more"
    (place / "sub" / "more").chmod(0o710)
    assert readers.lacking(path) == ""
    assert readers.readers(path) == "everybody"
