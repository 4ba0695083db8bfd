"""The programs of filters, in configurations."""

import os
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.finding import Finding
from opensmtpd_cli.commands.check.programs import filters
from opensmtpd_cli.system import libexec, users
from unit.support.checked import found_by, server
from unit.support.swap import smtpd_conf

pytestmark = pytest.mark.usefixtures("graceless")

KEY = "-----BEGIN PRIVATE KEY-----\n"
READY = """\
import sys
while sys.stdin.readline() != "config|ready\\n": pass
print("register|filter|smtp-in|connect", "register|ready", sep="\\n", flush=True)
sys.stdin.read()
"""
OURS = """\
import sys
if 0:
    from opensmtpd import run
if sys.argv[1] != "-n" or "--bad" in sys.argv:
    sys.exit("filter-x: it is bad; make it good")
"""


@pytest.fixture
def programs(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of smtpd's programs; those of lines without a user run as daemon."""
    monkeypatch.setattr(libexec, "LIBEXEC", (str(place),))
    monkeypatch.setattr(users, "USERS", ("daemon",))
    return place


def program(folder: Path, code: str, name: str = "filter-x") -> None:
    (folder / name).write_text(f"#!/usr/bin/python3 -IS\n{code}")
    (folder / name).chmod(0o755)


def said(folder: Path, command: str, more: str = "") -> list[tuple[str, str, str]]:
    text = f'filter "x" proc-exec "{command}" {more}\n'
    found: list[Finding] = found_by(filters.filter_programs, folder, text)
    assert {each.line for each in found} <= {1}
    return [(each.code, each.fault, each.remedy) for each in found]


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as others")
with_python = pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no python3")


def test_a_program_that_is_nowhere(programs: Path) -> None:
    assert [each[0] for each in said(programs, "filter-x")] == ["filter-program-missing"]


def test_all_that_is_wrong_with_a_line_at_once(programs: Path) -> None:
    found = said(programs, "filter-x", 'user "no-such-user" group "no-such-group"')
    assert [each[0] for each in found] == [
        "filter-user-missing",
        "filter-group-missing",
        "filter-program-missing",
    ]


def test_a_file_that_is_no_program(programs: Path) -> None:
    program(programs, READY)
    (programs / "filter-x").chmod(0o644)
    assert [each[0] for each in said(programs, "filter-x")] == ["filter-not-executable"]


def test_without_root_nothing_is_started(programs: Path) -> None:
    program(programs, "raise SystemExit(1)")
    path = smtpd_conf(programs, 'filter "x" proc-exec "filter-x"\nproc "y" "filter-x"\n')
    found = list(filters.filter_programs(server(path)._replace(root=False)))
    assert {each.code for each in found} == {"not-root"}


@as_root
@with_python
def test_programs_that_start(programs: Path) -> None:
    program(programs, READY)
    assert said(programs, "filter-x") == []
    assert said(programs, "/bin/true; exit 3")[0][0] == "filter-ends"
    program(programs, OURS)
    assert said(programs, "filter-x -k") == []


@as_root
@with_python
def test_ours_says_what_is_wrong(programs: Path) -> None:
    program(programs, OURS)
    assert said(programs, "filter-x --bad") == [
        ("filter-refuses", 'filter "x": it is bad', "make it good")
    ]
    path = smtpd_conf(programs, 'filter "x" proc-exec "filter-x --bad"\n')
    assert list(filters.filter_programs(server(path)._replace(start=False))) == []


@as_root
@with_python
def test_a_program_of_somebody_else_that_ends(programs: Path) -> None:
    program(programs, "import sys; sys.exit('no licence')")
    ((code, fault, _),) = said(programs, "filter-x")
    assert code == "filter-ends"
    assert fault.endswith("the filter exited with status 1; it says: no licence")


@as_root
@with_python
def test_it_runs_as_the_user_and_the_group_of_its_line(programs: Path) -> None:
    code = f"import os, sys\nsys.exit(str((os.getuid(), os.getgid(), os.getgroups())))\n{READY}"
    program(programs, code)
    ((_, fault, _),) = said(programs, "filter-x", "user bin group sys")
    assert fault.endswith("it says: (2, 3, [3])")


@as_root
@with_python
def test_keys_on_its_command_line_and_in_its_key_table(programs: Path) -> None:
    program(programs, OURS)
    for name in ("one", "two", "three"):
        (programs / name).write_text(KEY)
        (programs / name).chmod(0o644)
    (programs / "table").write_text(f"example.com a two\nexample.org b {programs}/three\n")
    found = said(programs, f"filter-x -k {programs}/one --key-table={programs}/table")
    assert sorted(each[1] for each in found) == [
        f"every user of this machine can read the private key {programs}/{name}"
        for name in ("one", "three", "two")
    ]
    (programs / "two").chmod(0o600)
    ((code, fault, remedy),) = said(programs, f"filter-x -f {programs}/table")
    assert (code, fault) == (
        "file-unreadable",
        f'filter "x" runs as user daemon, which cannot read {programs}/two',
    )
    assert remedy == f"chgrp daemon {programs}/two && chmod g+r {programs}/two"


@as_root
def test_a_command_that_is_too_long(programs: Path) -> None:
    (programs / "filter-x").touch(0o755)
    assert [each[0] for each in said(programs, f"filter-x {'x' * 4090}")] == ["filter-command-long"]


@as_root
@pytest.mark.parametrize(
    "option",
    [
        *("-k /no/key", "--key=/no/key", "-wl-ip /no/key", "--wl-domain /no/key"),
        *("--whitelist-clients=/no/key", "--whitelist-recipients /no/key"),
        "-allowlist /no/key",
    ],
)
def test_a_file_that_is_not_there_is_seen_without_a_start(programs: Path, option: str) -> None:
    program(programs, OURS)
    path = smtpd_conf(programs, f'filter "x" proc-exec "filter-x {option} -x /no/cache"\n')
    (found,) = filters.filter_programs(server(path)._replace(start=False))
    assert (found.code, found.fault) == ("file-missing", 'filter "x": there is no file /no/key')


@as_root
@pytest.mark.parametrize("name", ["filter-limit", "filter-headers"])
def test_a_file_of_rules_that_is_not_there(programs: Path, name: str) -> None:
    program(programs, OURS, name)
    (programs / "rules").touch()
    for rules, faults in ((f"{programs}/rules", []), ("/no/rules", ["/no/rules"])):
        command = f"{name} --state /no/state.db --network4 24 {rules}"
        path = smtpd_conf(programs, f'filter "x" proc-exec "{command}"\n')
        found = filters.filter_programs(server(path)._replace(start=False))
        said = [each.fault for each in found]
        assert said == [f'filter "x": there is no file {each}' for each in faults]


@as_root
@with_python
def test_a_recorded_filter_is_looked_at_behind_its_recorder(programs: Path) -> None:
    program(programs, OURS)
    program(programs, OURS.replace('"--bad" in sys.argv', "0"), "filter-record")
    capture = programs / "capture"
    command = f"filter-record {capture} -- filter-x"
    assert said(programs, command) == []
    found = said(programs, f"{command} --bad -k {programs}/key")
    assert found == [("filter-refuses", 'filter "x": it is bad', "make it good")]
    (programs / "key").write_text(KEY)
    (programs / "key").chmod(0o600)
    ((code, fault, _),) = said(programs, f"{command} -k {programs}/key")
    assert code == "file-unreadable"
    assert fault == f'filter "x" runs as user daemon, which cannot read {programs}/key'
    assert [each[0] for each in said(programs, command.replace("-x", "-y"))] == [
        "filter-program-missing"
    ]
    found = said(programs, command, 'user "no-such-user"')
    assert [each[0] for each in found] == ["filter-user-missing"]
    assert not capture.exists()
