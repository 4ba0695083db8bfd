"""Every filter line of the README and of the manual pages, as it stands there, on real smtpd."""

import re

import pytest

from integration.dns_scenes import Chains, listen, port, visit
from lab.clients import CONFIRMED_PTR, NO_PTR
from lab.guide import Guide
from lab.plugin import TREE
from lab.support import Lab, setups

SOURCES = ("README.md", "packaging/man/filter-rdns.8", "packaging/man/filter-dnsbl.8")
LINE = re.compile(
    r'^ *filter "?\w+"? (proc-exec (?:\\\n *)?"filter-(?:rdns|fcrdns|dnsbl)[^"]*")', re.M
)


def examples() -> list[str]:
    """Return what stands behind ``filter NAME``, each once."""
    texts = [(TREE / name).read_text().replace("\\e\n", "\\\n") for name in SOURCES]
    return list(dict.fromkeys(line for text in texts for line in LINE.findall(text)))


CHAINS: Chains = {line: (line,) for line in examples()}


def prepare(guide: Guide) -> None:
    (guide.view / "etc/mail/spared").write_text("2001:db8:77::/48\n*.example.net.invalid\n")
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("examples", prepare), indirect=True, ids=str)


def test_all_of_them_run(lab: Lab) -> None:
    assert len(CHAINS) == 7
    running = sum(len(lab.server.filters(f"filter-{name}")) for name in ("rdns", "fcrdns", "dnsbl"))
    assert running == 7


@pytest.mark.parametrize("line", CHAINS)
def test_it_does_what_it_is_for(lab: Lab, line: str) -> None:
    """Nobody is on any list: the name server knows of none."""
    number = port(CHAINS, line)
    assert visit(lab, CONFIRMED_PTR, number, helo="good.example.net").place == "inbox"
    place = "inbox" if "filter-dnsbl" in line else ".Junk"
    assert visit(lab, NO_PTR, number, helo="bad.example.net").place == place
