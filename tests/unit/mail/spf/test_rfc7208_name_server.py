"""The published test suite of RFC 7208 again: a real name server, and the resolver that asks it."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import dns.name
import pytest

from lab.peers.nameserver import Records, Rule, failing, silent
from opensmtpd.answer import Deferred
from opensmtpd.dns import Lookup, run_lookup
from opensmtpd.dns.lookup import Soon
from opensmtpd.mail.spf.check import SpfResult, check_host
from opensmtpd.mail.spf.identity import mail_from_identity
from unit.mail.spf.test_rfc7208_suite import CASES, PATH
from unit.support.dns_lab import Lab, served
from unit.support.spf_suite import DEFAULT, Case, Zonedata, records


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    if not CASES:
        pytest.skip(f"no {PATH}; OPENSMTPD_PLUGINS_SUITES names another folder")
    with served() as lab:
        yield lab


def on_server(zone: Zonedata) -> Records:
    """Return the records of a scenario as a name server has them; a timeout is a failure."""
    found: dict[tuple[str, str], list[str] | Rule] = {}
    for name, kind, value in records(zone):
        texts = found.setdefault((owner(name), kind), [])
        assert isinstance(texts, list)
        texts.append(text_of(kind, value))
    for name in {name for name, kind in found if kind == "TIMEOUT"}:
        for kind in ("A", "AAAA", "MX", "PTR", "TXT"):
            found.setdefault((name, kind), failing())
    return found


def owner(name: str) -> str:
    """Return a name as zone files have it."""
    labels = name.removesuffix(".").encode("latin-1").split(b".") if name else []
    return dns.name.Name([*labels, b""]).to_text(omit_final_dot=True)


def text_of(kind: str, value: Any) -> str:
    """Return a record as zone files have it."""
    match kind:
        case "TXT":
            strings = value if isinstance(value, list) else [value]
            return " ".join(map(quoted, strings or [""]))
        case "MX":
            return f"{value[0]} {owner(value[1]).removesuffix('.')}."
        case "PTR" | "CNAME":
            return f"{owner(value)}."
        case _:
            return str(value)


def quoted(text: str) -> str:
    octets = "".join(f"\\{ord(char):03}" for char in text)
    return f'"{octets}"'


def judged(lab: Lab, lookup: Lookup[SpfResult], within: float = 20.0) -> SpfResult:
    async def check() -> SpfResult:
        end = run_lookup(lookup, lab.resolver, within)
        return await end if isinstance(end, Deferred) else end

    lab.renew()
    return lab.run(check)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(lab: Lab, case: Case) -> None:
    lab.server.records = on_server(case.zone)
    domain, sender = mail_from_identity(case.sender.encode(), case.helo.encode())
    found = judged(lab, check_host(ip_address(case.host), domain, sender, case.helo))
    assert found.result in case.results
    if case.explanation:
        assert (found.explanation or DEFAULT) == case.explanation


def test_a_dead_name_server_that_is_not_needed_costs_a_short_time(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Soon, "seconds", 0.5)
    monkeypatch.setattr(lab.server, "delay", 0.1)  # the time was over, if it waited for all
    lab.server.records = {
        ("example.org", "TXT"): ['"v=spf1 mx include:dead.example exists:dead2.example -all"'],
        ("example.org", "MX"): ["10 mx.example.org."],
        ("mx.example.org", "A"): ["192.0.2.7"],
        ("dead.example", "TXT"): silent,
        ("dead2.example", "A"): silent,
    }

    lookup = check_host(ip_address("192.0.2.7"), "example.org", "a@example.org", "")
    found = judged(lab, lookup, within=3.0)
    assert found == SpfResult("pass", "example.org", "", "", "mx")
    assert ("dead.example", "TXT") in lab.server.asked
