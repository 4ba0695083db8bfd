"""smtpd's two builtin lines, and ours in their places: the same outcome for each client.

With ``--verify`` ours are to be better, where the table BETTER says so.
"""

import pytest

from integration.support.dns_scenes import (
    BUILTIN_FCRDNS,
    BUILTIN_RDNS,
    Chains,
    listen,
    ours,
    places,
    port,
    visit,
)
from lab.peers.clients import CLIENTS, LYING_PTR, NO_PTR6, UNKNOWN
from lab.peers.mail import compose, sendmail
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide
from lab.support import Lab, setups

RDNS, FCRDNS = ours("filter-rdns"), ours("filter-fcrdns")
VERIFIED_RDNS = ours("filter-rdns", "--verify")
VERIFIED_FCRDNS = ours("filter-fcrdns", "--verify")
CHAINS: Chains = {
    "builtin rdns": (BUILTIN_RDNS,),
    "builtin fcrdns": (BUILTIN_FCRDNS,),
    "builtin both": (BUILTIN_RDNS, BUILTIN_FCRDNS),
    "rdns": (RDNS,),
    "fcrdns": (FCRDNS,),
    "both": (RDNS, FCRDNS),
    "rdns swapped": (RDNS, BUILTIN_FCRDNS),
    "fcrdns swapped": (BUILTIN_RDNS, FCRDNS),
    "verified rdns": (VERIFIED_RDNS,),
    "verified fcrdns": (VERIFIED_FCRDNS,),
    "verified both": (VERIFIED_RDNS, VERIFIED_FCRDNS),
}

NAMELESS = {client.title for client in CLIENTS if client.rdns in (UNKNOWN, client.address)}
UNCONFIRMED = {client.title for client in CLIENTS if client.fcrdns != "pass"}
JUNKED = {"rdns": NAMELESS, "fcrdns": UNCONFIRMED, "both": NAMELESS | UNCONFIRMED}
"""Whom smtpd junks."""

BETTER = {
    "rdns": {"PTR fails", "PTR is refused"},
    "fcrdns": {
        "PTR fails",
        "PTR is refused",
        "forward fails",
        "two PTRs, the second confirmed",
        "name of 82 characters",
        "name of 253 characters",
    },
}
"""Whom it should not: with ``--verify`` we do not. What fails is nobody's fault."""
NO_NAME = {"the root as its name"}
"""That is no name, but smtpd's ``!rdns`` takes it for one."""


def prepare(guide: Guide) -> None:
    listen(guide, CHAINS, local="both")


pytestmark = pytest.mark.parametrize("running", setups("rdns", prepare), indirect=True, ids=str)


def junked(lab: Lab, title: str) -> set[str]:
    """Return whose mail is junked; all others' must be in the inbox."""
    found = places(lab, CLIENTS, port(CHAINS, title))
    assert set(found.values()) <= {"inbox", ".Junk"}
    return {client for client, place in found.items() if place == ".Junk"}


@pytest.mark.parametrize("check", JUNKED)
def test_the_builtin_lines(lab: Lab, check: str) -> None:
    assert junked(lab, f"builtin {check}") == JUNKED[check]


def test_names_as_smtpd_tells_them(lab: Lab) -> None:
    places(lab, CLIENTS, port(CHAINS, "builtin both"))
    for client in CLIENTS:
        end = f"[{client.address}]" if ":" in client.address else client.address
        assert f" smtp connected address={end} host={client.rdns}\n" in lab.log


@pytest.mark.parametrize("check", JUNKED)
def test_ours_by_smtpds_verdict(lab: Lab, check: str) -> None:
    assert junked(lab, check) == JUNKED[check]


@pytest.mark.parametrize("swapped", ["rdns", "fcrdns"])
def test_one_of_the_two_swapped(lab: Lab, swapped: str) -> None:
    assert junked(lab, f"{swapped} swapped") == JUNKED["both"]


@pytest.mark.parametrize("check", ["rdns", "fcrdns"])
def test_ours_by_our_own_verdict(lab: Lab, check: str) -> None:
    assert junked(lab, f"verified {check}") == (JUNKED[check] - BETTER[check]) | NO_NAME


def test_both_of_ours_by_our_own_verdict(lab: Lab) -> None:
    expected = JUNKED["rdns"] - BETTER["rdns"] | JUNKED["fcrdns"] - BETTER["fcrdns"]
    assert junked(lab, "verified both") == expected


def test_smtpds_verdict_costs_no_question(lab: Lab) -> None:
    asked = []
    for title in ("builtin both", "both"):
        before = len(lab.dns.asked)
        places(lab, CLIENTS, port(CHAINS, title))
        asked.append(lab.dns.asked[before:])
    assert asked[0] == asked[1]


def test_each_decision_is_logged_with_its_reason(lab: Lab) -> None:
    visit(lab, LYING_PTR, port(CHAINS, "both"))
    assert (
        f" junk check=fcrdns address={LYING_PTR} rdns=lying.example.net"
        f' reason="lying.example.net does not lead to {LYING_PTR}"\n'
    ) in lab.log
    visit(lab, NO_PTR6, port(CHAINS, "both"))
    assert (
        f' junk check=rdns address={NO_PTR6} reason="{NO_PTR6} has no name in the DNS"\n'
    ) in lab.log


@pytest.mark.parametrize("title", ["both", "verified both"])
def test_clients_of_this_machine_are_spared(lab: Lab, title: str) -> None:
    """The name server knows of no name for any address of it."""
    assert visit(lab, SERVER4, port(CHAINS, title)).place == "inbox"


def test_local_mail_is_never_junked(lab: Lab) -> None:
    sendmail(lab.guide.view, "alice", LOCAL, compose(LOCAL, LOCAL, "on the socket"))
    assert lab.inbox.one().folder == "inbox"
