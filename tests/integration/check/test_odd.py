"""``check`` says nothing of what looks odd and is correct, and knows what it cannot see."""

from collections.abc import Callable, Iterator

import pytest

from integration.check.ground import CONF, Ground, Zone, made_good, planted, zone
from integration.check.odd import ODD, Odd
from lab.peers.nameserver import NameServer, silent
from lab.root import inside
from lab.root.server import Server
from lab.support import ALONE, need_stage

pytestmark = ALONE
Grounds = Callable[[str], Ground]


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    """Return good servers by their version of smtpd, each made once."""
    made: dict[str, Ground] = {}
    with NameServer({}) as dns:

        def ground(smtpd: str) -> Ground:
            if smtpd not in made:
                guide = need_stage(smtpd).guide(f"check odd {smtpd}")
                made_good(guide, smtpd)
                made[smtpd] = Ground(smtpd, guide, dns, zone(guide))
            return made[smtpd]

        yield ground


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.title)
def test_nothing_is_said(odd: Odd, grounds: Grounds) -> None:
    with planted(grounds(odd.smtpd), odd.title, odd.plant) as ground:
        inside.done(ground.view, "smtpd", "-n", "-f", CONF)
        report = ground.check()
    assert (report.status, report.findings) == (0, []), report.text


def test_smtpd_may_run(grounds: Grounds) -> None:
    ground = grounds("7.6")
    with Server(ground.view) as server:
        report = ground.check()
        server.check()
    assert (report.status, report.findings) == (0, [])


@pytest.mark.parametrize("option", ["--no-start", "--no-dns"])
def test_what_may_not_be_looked_at_is_no_fault(option: str, grounds: Grounds) -> None:
    report = grounds("7.6").check(option)
    assert (report.status, report.certain) == (0, [])


def test_behind_a_router_the_address_has_to_be_told(grounds: Grounds) -> None:
    """What the world sees of private addresses is not known, so nothing is said of their names."""
    with planted(grounds("7.6"), "router", lambda copy: copy.options.clear()) as ground:
        report = ground.check()
    assert (report.status, report.certain) == (0, [])
    assert any("--address" in each["remedy"] for each in report.findings), report.text


def test_a_silent_dns_is_no_fault(grounds: Grounds) -> None:
    ground = grounds("7.6")
    kept: Zone = ground.zone
    ground.zone = dict.fromkeys(kept, silent)
    try:
        report = ground.check("--dns-deadline", "1")
    finally:
        ground.zone = kept
    assert (report.status, report.certain) == (0, [])
    assert report.findings


def test_somebody_who_is_not_root(grounds: Grounds) -> None:
    """He sees less, and no fault that is none; where he may not read smtpd.conf, nothing."""
    ground = grounds("7.6")
    ground.dns.records = ground.zone
    command = ("su", "alice", "-c", f"opensmtpd-plugins check {CONF} --address 203.0.113.25")
    done = inside.tried(ground.view, *command)
    assert done.returncode == 3, done.stdout + done.stderr
    with planted(ground, "readable", lambda copy: copy.sh(f"chmod 644 {CONF}")) as copy:
        done = inside.tried(copy.view, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"error" not in done.stdout.lower()
    assert b"warning" not in done.stdout.lower()
