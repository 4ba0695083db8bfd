"""What a hostile name server says reaches neither smtpd nor the log, and ends no filter.

smtpd has an honest one here; ours are told to ask another.
"""

from collections.abc import Iterator

import pytest

from integration.support.dns_scenes import Chains, Fate, listen, ours, port, visit
from lab.peers.clients import reverse
from lab.peers.nameserver import NameServer, Rule, failing, garbage, lasting
from lab.root.root import VENV
from lab.shows.guide import Guide
from lab.support import Lab, setups

ADDRESS = ("127.0.0.7", 53)
ASK = f"--nameserver {ADDRESS[0]} --dns-deadline 2"
CHECKS = ("rdns", "fcrdns", "dynamic", "helo-dns")
HEADERS = " ".join(f"--{check} header" for check in CHECKS)
TEXT = "--text '550 5.7.1 {rdns} {code} {txt}'"
CHAINS: Chains = {
    "clients": (ours("filter-rdns", f"{ASK} --verify {HEADERS}"),),
    "refused": (ours("filter-rdns", f"{ASK} --verify --fcrdns 'reject:{{rdns}} {{reason}}'"),),
    "lists": (ours("filter-dnsbl", f"{ASK} --reject-at 1 {TEXT} bl.test"),),
    "marks": (ours("filter-dnsbl", f"{ASK} -mv --header bl.test"),),
}
LONG = ".".join(["x" * 60] * 4 + ["y" * 9])
KILOBYTES_64 = " ".join(f'"{"t" * 255}"' for _ in range(250))


def prepare(guide: Guide) -> None:
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("hostile", prepare), indirect=True, ids=str)


@pytest.fixture(scope="module")
def hostile() -> Iterator[NameServer]:
    with NameServer({}, ADDRESS) as server:
        yield server


@pytest.fixture
def clean(lab: Lab) -> Iterator[None]:
    """All that the filters log in a test is one printable line for each event."""
    before = len(lab.log)
    yield
    new = lab.log[before:]
    assert "handler-failed" not in new
    assert all(line.isprintable() and line.isascii() for line in new.splitlines()), new


def come(lab: Lab, address: str, title: str) -> Fate:
    return visit(lab, address, port(CHAINS, title))


def numbered(number: int) -> str:
    """Return the address of one of the clients: each test has its own, as answers are kept."""
    return f"192.0.2.{100 + number}"


POINTERS: list[list[str] | Rule] = [
    ["a\\124b.example.net."],
    ["a\\032b.example.net."],
    ["a\\010filter-result\\124x.example.net."],
    ["a\\000b.example.net."],
    ["\\255\\254.example.net."],
    ["a\\.b.example.net."],
    ["'\\;\\(\\{ip\\}.example.net."],
    [f"{LONG}."],
    [f"{'x' * 63}.{'x' * 63}.{'x' * 63}.{'x' * 61}."],
    ["."],
    [f"n{number}.example.net." for number in range(1000)],
    lasting(2**31 - 1, "for.ever.example.net."),
    lasting(0, "never.example.net."),
    garbage(b""),
    garbage(b"\x81\x80" + b"\xff" * 500),
    failing(),
]


@pytest.mark.parametrize("number", range(len(POINTERS)))
@pytest.mark.usefixtures("clean")
def test_names_of_a_client(lab: Lab, hostile: NameServer, number: int) -> None:
    address = numbered(number)
    hostile.records = {(reverse(address), "PTR"): POINTERS[number]}
    fate = come(lab, address, "clients")
    assert fate.place == "inbox"
    reasons = fate.fields(b"X-Spam")
    assert all(line.startswith(b"X-Spam-Reason: ") and line.isascii() for line in reasons)
    refused = come(lab, address, "refused").place
    assert refused == "inbox" or refused.startswith("550 ")


@pytest.mark.usefixtures("clean")
def test_names_that_lead_round_in_circles(lab: Lab, hostile: NameServer) -> None:
    address = numbered(20)
    hostile.records = {
        (reverse(address), "PTR"): ["a.example.net."],
        ("a.example.net", "CNAME"): ["b.example.net."],
        ("b.example.net", "CNAME"): ["a.example.net."],
    }
    assert come(lab, address, "refused").place == (
        f"550 a.example.net a.example.net does not lead to {address}"
    )


TEXTS: list[list[str] | Rule] = [
    ['"see|https://bl.test"'],
    ['"a\\010filter-result\\124x" "\\000\\255\\027[31m"'],
    [KILOBYTES_64],
    ['"{ip} {rdns} %s %n"'],
    ['""'],
    garbage(b"\x81\x80" + b"\xff" * 500),
]


@pytest.mark.parametrize("number", range(len(TEXTS)))
@pytest.mark.usefixtures("clean")
def test_texts_of_a_list(lab: Lab, hostile: NameServer, number: int) -> None:
    name = f"{100 + number}.2.0.192.bl.test"
    hostile.records = {(name, "A"): ["127.0.0.2"], (name, "TXT"): TEXTS[number]}
    reply = come(lab, numbered(number), "lists").place
    assert reply.startswith("550 5.7.1 ")
    assert " 127.0.0.2 " in reply
    assert reply.isascii()
    assert reply.isprintable()
    assert len(reply) <= 512
    assert come(lab, numbered(number), "marks").fields(b"X-Spam") == [
        b"X-Spam-DNSBL: Listed at bl.test",
        b"X-Spam: Yes",
        b"X-Spam-Reason: dnsbl; %s is listed at bl.test (127.0.0.2)" % numbered(number).encode(),
    ]


def test_both_generations_of_the_resolver_are_tried(lab: Lab) -> None:
    """Debian 13 has the older one."""
    (folder,) = (lab.guide.view / VENV[1:]).glob("lib/python*/site-packages")
    (version,) = (path.name for path in folder.glob("aiodns-*.dist-info"))
    assert version.startswith({"7.6": "aiodns-3.2.", "7.9": "aiodns-4."}[lab.smtpd])
