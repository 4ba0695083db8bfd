"""``check`` finds each planted fault, and nothing else; of a good server it says nothing at all."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from integration.check.faults import names, programs, rules
from integration.check.faults.table import Fault
from integration.check.ground import Ground, made_good, planted, zone
from lab.peers.nameserver import NameServer
from lab.root import left
from lab.shows import moves
from lab.support import ALONE, need_stage

pytestmark = ALONE
SMTPD = "7.6"
FAULTS = (
    *programs.FAULTS, *names.KEYS, *names.RECORDS, *names.CERTIFICATES,
    *rules.RULES, *rules.LISTENERS, *rules.FILES,
)  # fmt: skip


@pytest.fixture(scope="module")
def dns() -> Iterator[NameServer]:
    with NameServer({}) as dns:
        yield dns


@pytest.fixture(scope="module")
def good(dns: NameServer) -> Ground:
    """The guide's own server."""
    guide = need_stage(SMTPD).guide("check")
    made_good(guide, SMTPD)
    return Ground(SMTPD, guide, dns, zone(guide))


@pytest.fixture(scope="module")
def in_sqlite(dns: NameServer) -> Ground:
    """The same with its tables, and passwords, in SQLite."""
    guide = need_stage(SMTPD).guide("check sqlite")
    made_good(guide, SMTPD)
    moves.to_credentials(guide)
    return Ground(SMTPD, guide, dns, zone(guide))


@pytest.fixture
def bases(request: pytest.FixtureRequest) -> dict[str, Ground]:
    wanted: Fault = request.node.callspec.params["fault"]
    name = "good" if wanted.base == "guide" else "in_sqlite"
    return {wanted.base: request.getfixturevalue(name)}


@pytest.mark.parametrize("base", ["good", "in_sqlite"])
def test_nothing_is_said_of_a_good_server(base: str, request: pytest.FixtureRequest) -> None:
    ground: Ground = request.getfixturevalue(base)
    done = ground.run()
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")
    assert ground.check().findings == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_a_planted_fault_is_found(fault: Fault, bases: dict[str, Ground]) -> None:
    good = bases[fault.base]
    with planted(good, fault.title, fault.plant) as ground:
        report = ground.check()
        line = ground.line(fault.path, fault.at)
    assert report.status == 1, report.text
    found = [each for each in report.findings if each["code"] == fault.code]
    assert found, report.text
    others = {each["code"] for each in report.certain} - {fault.code, *fault.also}
    assert not others, report.text
    at = [each for each in found if (each["path"], each["line"]) == (fault.path, line)]
    assert at, report.text
    assert [each for each in at if all(word in each["fault"] for word in fault.said)], report.text
    assert fault.remedy in " ".join(each["remedy"] for each in at), report.text
    assert {each["severity"] for each in at} == {fault.severity}, report.text


FOLDERS = ("etc", "home", "opt", "root", "run", "srv", "tmp", "usr/libexec", "var")


def test_nothing_is_changed(in_sqlite: Ground) -> None:
    def seen() -> list[left.Look]:
        return [left.look(in_sqlite.view / name) for name in FOLDERS]

    before = seen()
    in_sqlite.check()
    assert seen() == before


def test_no_program_is_left_behind(good: Ground) -> None:
    """Neither the one that hangs, nor the shell that has started it."""
    (hanging,) = (fault for fault in programs.FAULTS if fault.code == "filter-hangs")
    with planted(good, "left behind", hanging.plant) as ground:
        ground.check()
    running = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            running.append(path.read_bytes())
    assert [each for each in running if str(programs.LONG).encode() in each] == []


def test_there_are_faults_enough() -> None:
    assert len({fault.title for fault in FAULTS}) == len(FAULTS) >= 40
