"""filter-rspamd behind other filters: what they have decided about a message stays."""

import pytest

from integration.support.dns_scenes import BUILTIN_RDNS, Chains, listen, ours, port, visit
from lab.peers.clients import NO_PTR
from lab.peers.rspamd.server import RspamdServer
from lab.shows.guide import Guide
from lab.support import Lab, setups

AUTH, RSPAMD = ours("filter-auth"), ours("filter-rspamd", "-settings-id headers")
CHAINS: Chains = {
    "junk": (BUILTIN_RDNS,),
    "junk, rspamd": (BUILTIN_RDNS, ours("filter-rspamd")),
    "junk, rspamd with settings": (BUILTIN_RDNS, RSPAMD),
    "junk, auth, rspamd": (BUILTIN_RDNS, AUTH, RSPAMD),
}
RESULTS = b"Authentication-Results:"
FORGED = f"X-Spam: no\r\n{RESULTS.decode()} example.com; dkim=pass\r\n"


def prepare(guide: Guide) -> None:
    """Have a listener for each chain."""
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize(
    "running", setups("rspamd-chains", prepare), indirect=True, ids=str
)


@pytest.mark.parametrize("title", CHAINS)
def test_junk_stays_junk(lab: Lab, rspamd: RspamdServer, title: str) -> None:
    """rspamd has X-Spam fields of others removed with each message; smtpd's own is above ours."""
    fate = visit(lab, NO_PTR, port(CHAINS, title))
    assert fate.place == ".Junk"
    assert fate.fields(b"X-Spam:") == [b"X-Spam: Yes"]


def test_the_results_of_filter_auth_stay(lab: Lab, rspamd: RspamdServer) -> None:
    """rspamd has all fields of that name removed before it adds its own."""
    fate = visit(lab, NO_PTR, port(CHAINS, "junk, auth, rspamd"), front=FORGED)
    alone = visit(lab, NO_PTR, port(CHAINS, "junk, rspamd with settings"), front=FORGED)
    ours = RESULTS + b" example.com;"
    assert alone.fields(RESULTS) == [ours]
    rspamds, auths = fate.fields(RESULTS)
    assert rspamds == ours
    assert auths.startswith(ours + b" dkim=none; arc=none; iprev=")
    assert b"\tdkim=none\n" + auths in fate.message
    assert b"dkim=pass" not in fate.message
    assert fate.place == ".Junk"
    assert fate.fields(b"X-Spam:") == [b"X-Spam: Yes"]
