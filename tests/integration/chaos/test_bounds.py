"""Bounds at their edge, with a real smtpd."""

import pytest

from integration.support.dns_scenes import Chains, listen, ours, port, visit
from lab.peers.clients import CONFIRMED_PTR
from lab.shows.guide import Guide
from lab.support import Lab, setups

CHAINS: Chains = {
    "small": (ours("filter-dnsbl", "-m --message-max 4K bl.test"),),
    "any": (ours("filter-dnsbl", "-m bl.test"),),
}


def prepare(guide: Guide) -> None:
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("bounds", prepare), indirect=True, ids=str)


def test_a_message_that_is_too_large(lab: Lab) -> None:
    large = "X-Filler: " + "x" * 900 + "\r\n"
    small = port(CHAINS, "small")
    assert visit(lab, CONFIRMED_PTR, small, front=large * 3).place == "inbox"
    refused = visit(lab, CONFIRMED_PTR, small, front=large * 5)
    assert refused.place == "552 5.3.4 Message refused: it is too large"
    assert visit(lab, CONFIRMED_PTR, port(CHAINS, "any"), front=large * 5).place == "inbox"
