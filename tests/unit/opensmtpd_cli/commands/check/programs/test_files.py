"""Files that the user of a program cannot read."""

import os
import pwd
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.programs import files
from opensmtpd_cli.commands.check.programs.files import FileReader
from opensmtpd_cli.plugin.start import Account

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")

UID, GID = 54321, 54322
PLACE = ("/etc/smtpd.conf", 3)
READER = FileReader(PLACE, 'filter "x"', Account(UID, GID, [GID]), fatal=True)


def said(*paths: Path | str, reader: FileReader = READER) -> list[tuple[str, str, str]]:
    found = list(files.unreadable(reader, map(str, paths)))
    assert os.geteuid() == 0
    assert {(each.path, each.line, each.code) for each in found} <= {(*PLACE, "file-unreadable")}
    return [(each.severity, each.fault, each.remedy) for each in found]


@pytest.fixture
def key(place: Path) -> Path:
    (place / "key").touch(0o600)
    return place / "key"


def test_a_file_of_root(key: Path) -> None:
    fault = f'filter "x" runs as user {UID}, which cannot read {key}'
    assert said(key) == [("error", fault, f"chgrp {GID} {key} && chmod g+r {key}")]
    os.chown(key, 0, GID)
    key.chmod(0o640)
    assert said(key) == []
    os.chown(key, UID, 0)
    assert said(key) == []


def test_a_folder_on_the_way(key: Path) -> None:
    key.chmod(0o644)
    key.parent.chmod(0o700)
    fault = f'filter "x" runs as user {UID}, which cannot read {key}: it may not enter {key.parent}'
    assert said(key, key) == [("error", fault, f"chmod o+x {key.parent}")]


def test_a_link_to_a_closed_folder(key: Path) -> None:
    key.chmod(0o644)
    (key.parent / "closed").mkdir(0o700)
    (key.parent / "closed/file").touch()
    (key.parent / "link").symlink_to("closed/file")
    ((_, fault, _),) = said(key.parent / "link")
    assert fault.endswith(f"{key.parent}/link: it may not enter {key.parent}/closed")


def test_what_is_not_there_is_no_matter(place: Path) -> None:
    assert said(place / "none", place / "none/none", "/dev/null", place) == []


def test_what_another_may_write_to_may_be_its_log(key: Path) -> None:
    other = READER._replace(fatal=False)
    assert [each[0] for each in said(key, reader=other)] == ["warning"]
    key.chmod(0o622)
    assert said(key, reader=other) == []
    assert [each[0] for each in said(key)] == ["error"]


def test_a_line_that_names_no_user(key: Path) -> None:
    usual = READER._replace(usual_user="root")
    assert said(key, reader=usual)[0][2] == "write user root behind the command"
    usual = READER._replace(usual_user="daemon")
    remedy = f"write user daemon behind the command, and: chown daemon {key}"
    assert said(key, reader=usual)[0][2] == remedy


def test_a_folder_that_the_usual_user_may_enter(key: Path) -> None:
    """Its folder and its key are root's and the user's group's, as the packages make them."""
    daemon = pwd.getpwnam("daemon")
    for path, mode in ((key, 0o640), (key.parent, 0o750)):
        os.chown(path, 0, daemon.pw_gid)
        path.chmod(mode)
    usual = READER._replace(usual_user="daemon")
    assert said(key, reader=usual)[0][2] == "write user daemon behind the command"


def test_a_chroot_is_entered_whoever_may_enter_it(key: Path) -> None:
    jail = READER._replace(chroot=str(key.parent))
    key.chmod(0o644)
    key.parent.chmod(0o700)
    assert said("/key", reader=jail) == []
    key.parent.chmod(0o755)
    (key.parent / "in").mkdir(0o700)
    (key.parent / "in/key").touch()
    ((_, fault, _),) = said("/in/key", reader=jail)
    assert f"cannot read /in/key: it may not enter {key.parent}/in" in fault


def test_nothing_of_a_program_belongs_into_a_home() -> None:
    if os.stat("/root").st_mode & 0o001:
        pytest.skip("everybody may enter /root")
    ((_, _, remedy),) = said("/root/db")
    assert remedy == f"move it out of /root to where user {UID} may enter, as /etc/mail"
