"""The users, the groups and the chroots of lines."""

import grp
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.programs import who
from opensmtpd_cli.commands.check.programs.program_line import FilterRun
from opensmtpd_cli.plugin.start import Account
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry
from opensmtpd_cli.system import users

PLACE = ("/etc/smtpd.conf", 4)


def user(name: str, uid: int = 812, gid: int = 813) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, gid, "", "/nonexistent", "/bin/false"))


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two users, and the groups of both."""
    people = {each.pw_name: each for each in (user("_dkimsign"), user("_smtpd", 11, 11))}
    groups = {"_dkimsign": 813, "_smtpd": 11}

    def named(number: int) -> grp.struct_group:
        name = {gid: name for name, gid in groups.items()}[number]
        return grp.struct_group((name, "x", number, []))

    def of_name(name: str) -> grp.struct_group:
        return named(groups[name])

    def everybody() -> Sequence[pwd.struct_passwd]:
        return list(people.values())

    monkeypatch.setattr(pwd, "getpwnam", people.__getitem__)
    monkeypatch.setattr(pwd, "getpwall", everybody)
    monkeypatch.setattr(grp, "getgrnam", of_name)
    monkeypatch.setattr(grp, "getgrgid", named)
    monkeypatch.setattr(grp, "getgrall", lambda: [named(gid) for gid in groups.values()])
    monkeypatch.setattr(users, "USERS", ("_smtpd",))


def said(user: str = "", group: str = "", chroot: str = "") -> list[tuple[str, str, str]]:
    run = FilterRun(PLACE, 'filter "x"', FilterEntry("x", "filter-x", user, group, chroot))
    return [(each.code, each.fault, each.remedy) for each in who.faults(run)]


def test_users_and_groups_that_are_there() -> None:
    assert said() == said("_dkimsign") == said("_dkimsign", "_smtpd") == []


def test_a_user_without_his_underscore() -> None:
    fault = 'filter "x" runs as user dkimsign, who does not exist'
    assert said("dkimsign") == [("filter-user-missing", fault, "write user _dkimsign")]


def test_a_user_who_is_near() -> None:
    assert said("_dkimsing")[0][2] == "write user _dkimsign"


def test_a_user_to_be_made() -> None:
    remedy = "make it: useradd --system --no-create-home --shell /usr/sbin/nologin nobodyelse"
    assert said("nobodyelse")[0][2] == remedy


def test_a_group_that_is_not_there() -> None:
    fault = 'filter "x" runs as group dkim, which does not exist'
    assert said("_dkimsign", "dkim") == [
        ("filter-group-missing", fault, "make it: groupadd --system dkim")
    ]


def test_a_user_whose_group_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwnam", lambda name: user(name, 812, 4444))
    fault = 'filter "x" runs as user _a, whose group 4444 has no name'
    monkeypatch.setattr(grp, "getgrgid", {}.__getitem__)
    assert said("_a") == [("filter-group-missing", fault, "groupadd --gid 4444 _a")]


def test_the_account_of_a_line() -> None:
    assert who.account(FilterEntry("x", "x")) == Account(11, 11, [11])
    assert who.account(FilterEntry("x", "x", "_dkimsign")) == Account(812, 813, [813])
    assert who.account(FilterEntry("x", "x", "_dkimsign", "_smtpd")) == Account(812, 11, [11])
    assert who.account(FilterEntry("x", "x", "nobody")) is None
    assert who.account(FilterEntry("x", "x", "_dkimsign", "nobody")) is None


def test_tables_run_as_smtpds_user_in_all_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [gid, 99])
    assert who.table_account() == Account(11, 11, [11, 99])
    monkeypatch.setattr(users, "USERS", ())
    assert who.table_account() is None


def test_a_chroot_that_is_none(tmp_path: Path) -> None:
    folder = str(tmp_path / "jail")
    assert [each[0] for each in said(chroot=folder)] == ["filter-chroot-missing"]
    (tmp_path / "jail").mkdir()
    assert [each[0] for each in said(chroot=folder)] == ["filter-chroot-empty"]
    (tmp_path / "jail/bin").mkdir()
    (tmp_path / "jail/bin/sh").touch()
    assert said(chroot=folder) == []
    assert who.chroot(FilterEntry("x", "x", chroot=f"{folder}/")) == folder
