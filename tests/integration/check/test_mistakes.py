"""The twelve mistakes of a new administrator: each is found before smtpd starts with it."""

from collections.abc import Iterator

import pytest

from integration.check.faults import names, programs
from integration.check.faults.table import Fault
from integration.check.ground import CONF, Ground, made_good, planted, zone
from lab.peers.nameserver import NameServer
from lab.root import inside
from lab.root.server import Server
from lab.shows import moves
from lab.support import ALONE, need_stage

pytestmark = ALONE
TITLES = (
    "key path wrong",
    "key unreadable",
    "user forgotten",
    "domain typo",
    "unknown flag",
    "query bad",
    "query key typo",
    "not defined",
    "database missing",
    "database unreadable",
    "wrong user",
    "selector wrong",
)
MISTAKES = [fault for fault in (*programs.FAULTS, *names.KEYS) if fault.title in TITLES]
assert len(MISTAKES) == len(TITLES)


def test_tables_on_smtpd_6_8() -> None:
    """The worst of them: there, a table of ours leaves smtpd waiting for ever, without a word."""
    guide = need_stage("6.8").guide("check mistakes 6.8")
    made_good(guide, "6.8")
    with NameServer({}) as dns:
        ground = Ground("6.8", guide, dns, zone(guide))
        ground.change(
            "table aliases file:/etc/mail/aliases", "table aliases flat:/etc/mail/aliases"
        )
        ground.sh("chgrp opensmtpd /etc/mail/aliases")
        report = ground.check()
        line = ground.line(CONF, "table aliases")
    assert report.status == 1, report.text
    (found,) = report.certain
    assert (found["severity"], found["path"], found["line"]) == ("error", CONF, line)
    assert found["code"] == "table-smtpd-old"
    assert "6.8" in found["fault"]
    assert "smtpd 7.6 or later" in found["remedy"]


@pytest.fixture(scope="module")
def served() -> Iterator[dict[str, Ground]]:
    """Return both good servers, the guide's own and the one with SQLite, which is running.

    ``test_faults`` plants the same mistakes, and all others, on 7.6.
    """
    smtpd, grounds = "7.9", {}
    with NameServer({}) as dns:
        for base in ("guide", "sqlite"):
            guide = need_stage(smtpd).guide(f"check mistakes {smtpd} {base}")
            made_good(guide, smtpd)
            if base == "sqlite":
                moves.to_credentials(guide)
            grounds[base] = Ground(smtpd, guide, dns, zone(guide))
        with Server(grounds["sqlite"].view) as server:
            yield grounds
            server.check()


@pytest.mark.parametrize("fault", MISTAKES, ids=lambda fault: fault.title)
def test_it_is_found_before_the_restart(fault: Fault, served: dict[str, Ground]) -> None:
    with planted(served[fault.base], fault.title, fault.plant) as ground:
        named = inside.tried(ground.view, "smtpd", "-n", "-f", CONF)
        report = ground.check()
        line = ground.line(fault.path, fault.at)
    assert (named.returncode == 0) == (fault.code != "conf-syntax")
    assert report.status == 1, report.text
    found = [each for each in report.certain if each["code"] == fault.code]
    assert [each for each in found if (each["path"], each["line"]) == (fault.path, line)]
    assert [each for each in found if all(word in each["fault"] for word in fault.said)]
    assert fault.remedy in " ".join(each["remedy"] for each in found), report.text
