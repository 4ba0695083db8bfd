"""``opensmtpd-plugins filter`` beside a real smtpd: the same message, the same decisions."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from integration.dnsbl.test_lists import LISTS
from integration.support.dns_scenes import NAME, Chains, listen, ours, port, visit
from lab.peers import mail
from lab.peers.clients import CLIENTS, CONFIRMED_PTR, LYING_PTR, NO_PTR, NO_PTR6, Client
from lab.peers.verify import signatures, verifies
from lab.root import inside
from lab.root.plugin import ORIGINAL
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, setups

REFUSAL = "550 5.7.1 Who are you?"
CHAINS: Chains = {
    "rdns": (ours("filter-rdns"),),
    "verified": (ours("filter-rdns", "--verify --fcrdns junk"),),
    "refusing": (ours("filter-rdns", f"--rdns off --fcrdns 'reject:{REFUSAL}'"),),
    "dnsbl": (ours("filter-dnsbl", "--junk-at 1 --header bl.test"),),
}
PLACES = {
    "rdns": {NO_PTR6: ".Junk", LYING_PTR: "inbox"},
    "verified": {LYING_PTR: ".Junk", CONFIRMED_PTR: "inbox"},
    "refusing": {LYING_PTR: REFUSAL, CONFIRMED_PTR: "inbox"},
    "dnsbl": {CONFIRMED_PTR: ".Junk", NO_PTR6: "inbox"},
}
"""Where the mail of clients lands behind each of the chains."""


def prepare(guide: Guide) -> None:
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize(
    "running", setups("operator filter", prepare), indirect=True, ids=str
)


@pytest.fixture(autouse=True)
def lists(lab: Lab) -> None:
    lab.dns.records = {**lab.dns.records, **LISTS}


class Said(NamedTuple):
    """What the command made of a message."""

    status: int
    message: bytes
    lines: list[str]

    @property
    def place(self) -> str:
        """Where it would land."""
        if self.status == 1:
            return self.lines[-1].removeprefix("refused: ")
        assert self.status == 0, self.lines
        return ".Junk" if "junk: smtpd puts X-Spam: Yes in front" in self.lines else "inbox"


def run(lab: Lab, line: str, message: bytes, *options: str) -> Said:
    """Run a filter as root in the server's view."""
    command = ("opensmtpd-plugins", "filter", "--smtpd-version", f"{lab.smtpd}.0", *options, line)
    done = inside.tried(lab.guide.view, *command, given=message)
    return Said(done.returncode, done.stdout, done.stderr.decode().splitlines())


def client(address: str) -> Client:
    return next(one for one in CLIENTS if one.address == address)


@pytest.mark.parametrize("title", CHAINS)
def test_the_same_decisions(lab: Lab, title: str) -> None:
    message = mail.compose(STRANGER, LOCAL, "the same")

    def ask(address: str) -> Said:
        who = client(address)
        return run(
            lab,
            f"filter x {CHAINS[title][0]}",
            message,
            *("--client", address, "--rdns", who.rdns, "--fcrdns", who.fcrdns, "--helo", NAME),
            *("--from", STRANGER, "--rcpt", LOCAL),
        )

    with ThreadPoolExecutor() as pool:
        asked = pool.map(ask, PLACES[title])
        fates = [visit(lab, address, port(CHAINS, title)) for address in PLACES[title]]
    for (address, wanted), fate, said in zip(PLACES[title].items(), fates, asked, strict=True):
        assert (fate.place, said.place) == (wanted, wanted), address
        fields = b"".join(field + b"\r\n" for field in fate.fields(b"X-Spam-Reason"))
        assert said.message == (b"" if wanted == REFUSAL else fields + message)


def test_the_time_that_the_dns_takes(lab: Lab) -> None:
    lab.dns.delay = 0.2
    try:
        began = time.monotonic()
        said = run(lab, "filter-rdns --verify", b"", "--client", NO_PTR, "--rdns", "<unknown>")
        assert time.monotonic() - began > 0.2
    finally:
        lab.dns.delay = 0.0
    (line,) = [line for line in said.lines if line.startswith("connect: ")]
    took = re.fullmatch(r"connect: junk \(([0-9.]+) (ms|s)\)", line)
    assert took is not None, line
    assert float(took[1]) * (1 if took[2] == "s" else 0.001) >= 0.2


def tags(message: bytes) -> dict[str, str]:
    """Return those tags of a signature that the message alone decides."""
    text = re.sub(rb"\s", b"", message.split(b"\nReceived:")[0].split(b"\nFrom:")[0]).decode()
    found = dict(tag.partition("=")[::2] for tag in text.partition(":")[2].split(";"))
    return {name: found[name] for name in ("a", "c", "d", "s", "h", "bh")}


@pytest.mark.parametrize("program", ["filter-dkimsign", f"filter-dkimsign{ORIGINAL}"])
def test_the_same_signature(lab: Lab, program: str) -> None:
    """The guide's own line, as the user of that line: nobody else but root may read the key."""
    conf = (lab.guide.view / "etc/mail/smtpd.conf").read_text()
    (line,) = [line for line in conf.splitlines() if line.startswith('filter "dkimsign"')]
    message = mail.compose(LOCAL, LOCAL, "signed")
    with mail.submission(lab.guide) as server:
        assert mail.send(server, LOCAL, LOCAL, message)[0] == 250
    delivered = lab.inbox.one().message
    text = message.replace(b"\r\n", b"\n")
    said = run(lab, line.replace("filter-dkimsign", program), text, "--auth", "alice")
    assert said.status == 0, said.lines
    assert said.lines[0].endswith(", user _dkimsign, group _dkimsign")
    assert "added: DKIM-Signature" in said.lines
    assert said.message.endswith(text)
    assert (signatures(said.message), signatures(delivered)) == (1, 1)
    assert verifies(delivered)
    assert verifies(said.message)
    assert tags(said.message) == tags(delivered)


def test_a_filter_by_its_name(lab: Lab) -> None:
    text = mail.compose(LOCAL, LOCAL, "signed").replace(b"\r\n", b"\n")
    said = run(lab, "dkimsign", text, "--auth", "alice", "--conf", "/etc/mail/smtpd.conf")
    assert said.status == 0, said.lines
    assert said.lines[0].endswith(", user _dkimsign, group _dkimsign")
    assert signatures(said.message) == 1
    assert verifies(said.message)


def test_a_filter_that_may_not_read_its_key(lab: Lab) -> None:
    said = run(
        lab,
        'filter x proc-exec "filter-dkimsign -d example.com -s mail -k /etc/mail/dkim/private.key"'
        " user nobody",
        b"",
    )
    assert (said.status, said.message) == (3, b"")
    assert said.lines[-2].startswith("fatal: lost processor: the filter exited with status ")
    assert said.lines[-1] == "smtpd: dies, and all mail stops"
