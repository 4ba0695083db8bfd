"""A filter that asks about what clients write, as SPF does: names of any octets, large TXT sets.

The program tells each reply in its refusal of MAIL FROM. It runs as all do, in its sandbox.
"""

from collections.abc import Iterator

import pytest

from integration.support.dns_scenes import Chains, knock, listen, ours, port
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.nameserver import NameServer, Records, failing, silent
from lab.root.root import VENV
from lab.shows.guide import Guide
from lab.support import Lab, setups

ADDRESS = ("127.0.0.7", 53)
NAME = "filter-tell-txt"
CHAINS: Chains = {
    "tell": (ours(NAME, f"--nameserver {ADDRESS[0]} --dns-deadline 2"),),
}
PROGRAM = f"""#!{VENV}/bin/python3
from opensmtpd import options, run
from opensmtpd.dns import Found, Question, RecordType, names, options as dns_options, run_lookup
from opensmtpd.filter import Filter, Reject


class TellTxt(Filter):
    def __init__(self, dns, flags):
        self.dns, self.deadline = dns, flags.dns_deadline

    def on_mail_from(self, session, request):
        local, _, domain = request.address.decode("latin-1").rpartition("@")
        name = f"{{local}}.{{domain}}".lower()
        if local == "begun":
            self.dns.start([Question(f"later.{{domain}}", RecordType.TXT)])
            return Reject(550, "5.7.1 begun")
        if local == "steps":
            return run_lookup(self.steps(domain), self.dns, self.deadline)
        return run_lookup(self.tell(name), self.dns, self.deadline)

    def tell(self, name):
        if not names.is_wire_name(name):
            return Reject(550, "5.7.1 no name")
        [reply] = yield [Question(name, RecordType.TXT)]
        if isinstance(reply, Found):
            sizes = sum(map(len, reply.records))
            return Reject(550, f"5.7.1 {{len(reply.records)}} records of {{sizes}}")
        return Reject(550, f"5.7.1 {{reply!r}}")

    def steps(self, domain):
        for number in range(20):
            yield [Question(f"{{number}}{{odd}}.{{domain}}", RecordType.TXT) for odd in ("", "+")]
        return Reject(550, "5.7.1 all steps")


if __name__ == "__main__":
    dns_options.add(parser := options.filter_parser("{NAME}", "Tell TXT records."))
    run.filter(lambda flags: TellTxt(dns_options.resolver(flags), flags), parser)
"""
CUTS = ['"v=spf1 " "-all"', '"v=spf1" " -all"', '"v=spf1 -all"']
RECORDS: Records = {
    ("bounces+a=b.spf.test", "TXT"): ['"v=spf1 -all"'],
    ("50%=1/2.spf.test", "TXT"): ['"v=spf1 ?all"'],
    ("plain.spf.test", "TXT"): CUTS,
    ("cuts+.spf.test", "TXT"): CUTS,
    ("large.spf.test", "TXT"): [f'"{"x" * 250}"'] * 200,
    ("large+.spf.test", "TXT"): [f'"{"x" * 250}"'] * 200,
    ("refused+.spf.test", "TXT"): failing(),
    ("a.empty.spf.test", "TXT"): ['"x"'],
    ("later.spf.test", "TXT"): ['"later"'],
    **{(f"{n}{odd}.dead.test", "TXT"): silent for n in range(20) for odd in ("", "+")},
}


def prepare(guide: Guide) -> None:
    program = guide.view / "usr/libexec/opensmtpd" / NAME
    program.write_text(PROGRAM)
    program.chmod(0o755)
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("names", prepare), indirect=True, ids=str)


@pytest.fixture(scope="module")
def dns() -> Iterator[NameServer]:
    with NameServer(RECORDS, ADDRESS) as server:
        yield server


def told(sender: str) -> str:
    """Return what the filter says of a sender."""
    with knock(CONFIRMED_PTR, port(CHAINS, "tell")) as client:
        code, text = client.docmd(f"MAIL FROM:<{sender}>")
    assert code == 550, text
    return text.decode().removeprefix("5.7.1 ")


@pytest.mark.parametrize(
    ("sender", "reply"),
    [
        ("bounces+a=b@spf.test", "1 records of 11"),
        ("50%=1/2@spf.test", "1 records of 11"),
        ("none/of=these@spf.test", "Absent(nxdomain=True)"),
        ("none@spf.test", "Absent(nxdomain=True)"),
        ("empty@spf.test", "Absent(nxdomain=False)"),
        ("plain@spf.test", "3 records of 33"),
        ("cuts+@spf.test", "3 records of 33"),
        ("large@spf.test", "200 records of 50000"),
        ("large+@spf.test", "200 records of 50000"),
        ("refused+@spf.test", "Failed(ours=False, reason='DNS server returned SERVFAIL')"),
        (f"{'+' * 64}@spf.test", "no name"),
    ],
)
def test_replies(lab: Lab, dns: NameServer, sender: str, reply: str) -> None:
    assert told(sender) == reply
    count = len(dns.asked)
    assert told(sender) == reply
    assert [name for name, kind in dns.asked[count:] if kind == "TXT"] == []  # it is remembered
    assert "handler-failed" not in lab.log
    assert "resolver-late" not in lab.log


def test_what_is_begun_is_known_later(lab: Lab, dns: NameServer) -> None:
    before = dns.asked.count(("later.spf.test", "TXT"))
    assert told("begun@spf.test") == "begun"
    assert told("later@spf.test") == "1 records of 5"
    assert dns.asked.count(("later.spf.test", "TXT")) - before <= 1


def test_a_dead_name_server_costs_one_deadline(lab: Lab, dns: NameServer) -> None:
    """Each of the twenty steps would have to wait for it."""
    assert told("steps@dead.test") == "all steps"
    assert {name for name, _ in dns.asked if "dead" in name} == {"0.dead.test", "0+.dead.test"}
