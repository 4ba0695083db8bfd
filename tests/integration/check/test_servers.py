"""``check`` says nothing of servers of other people, in surroundings that are good."""

from collections.abc import Iterator

import pytest

from integration.check.ground import Ground, planted
from integration.check.servers import SITES, Site
from lab.peers.nameserver import NameServer
from lab.root import inside
from lab.shows.guide import Guide
from lab.support import ALONE, need_stage

pytestmark = ALONE


@pytest.fixture(scope="module")
def bare() -> Iterator[Ground]:
    """A Debian 13 with smtpd and our programs, as they were installed."""
    view = need_stage("7.6").installed("check bare")
    with NameServer({}) as dns:
        ground = Ground("7.6", Guide(view, "", ""), dns, {}, [])
        ground.put("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        yield ground


def lay_out(site: Site, ground: Ground) -> None:
    ground.sh("mkdir -p /etc/mail")
    site.lay_out(ground)
    ground.path = site.path
    ground.options = list(site.options)
    if site.written:
        ground.put(site.path, site.conf)


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.title)
def test_nothing_is_said_of_it(site: Site, bare: Ground) -> None:
    with planted(bare, site.title, lambda ground: lay_out(site, ground)) as ground:
        inside.done(ground.view, "smtpd", "-n", "-f", site.path)
        assert ground.check().findings == []
        done = ground.run()
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_debian_installs_needs_no_words(bare: Ground) -> None:
    """Neither the path of smtpd.conf, nor an address: where none is public, nothing is certain."""
    (debian,) = (site for site in SITES if not site.written)
    with planted(bare, "without words", lambda ground: lay_out(debian, ground)) as ground:
        ground.path, ground.options = "", []
        report = ground.check()
        assert (report.status, report.certain) == (0, [])
