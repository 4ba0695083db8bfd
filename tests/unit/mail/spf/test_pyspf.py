"""Random records, judged by pyspf, too, on the same plain data.

Where pyspf is known to differ, the records here do not go: it

- counts a void question for each name of the client that leads nowhere, and for each host without
  an address of the client's family, though it has one of the other;
- asks for all hosts of an ``mx`` before it compares one, so that a failure or a void question of a
  later host counts, though an earlier one matches;
- takes a failure of the PTR question for a temperror (section 5.5: no match);
- counts a redirect when it reads a record, not where it follows it;
- refuses ``include`` of the record's own domain, and each modifier that is there twice, at once;
- expands macros when it reads a record, and asks for ``%{p}`` then.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
import spf
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.dns import Failed, Found, Question, RecordType
from opensmtpd.mail.spf.check import check_host
from unit.support.lookup_run import LookupRun
from unit.support.spf_zone import FAILS, Zone

CLIENT = {4: "192.0.2.7", 6: "2001:db8::7"}
ADDRESSES = {
    RecordType.A: ["192.0.2.7", "192.0.2.6", "192.0.2.99", "203.0.113.1"],
    RecordType.AAAA: ["2001:db8::7", "2001:db8::6", "2001:db8:1::7", "2001:db9::1"],
}
HOSTS = [f"{name}.example" for name in "abc"]
"""Names with addresses of both families, and MX records of themselves."""
DOMAINS = [f"{name}.test" for name in "defg"]
"""Names with SPF records; each names only those behind it, so that nothing goes in a circle."""
ENDS: list[list[str]] = [[], [], [], [], ["-all"], ["exp=why.%{o}", "-all"], ["moo"]]
NOWHERE = ["x.invalid", "y.invalid"]


def judged_by_pyspf(zone: Zone, address: str, sender: str, helo: str) -> tuple[str, str]:
    """Return the result and the explanation, empty for none."""

    def look_up(name: str, kind: str, *_: Any) -> Iterator[tuple[tuple[str, str], Any]]:
        reply = zone[Question(name.lower(), RecordType(kind))]
        if isinstance(reply, Failed):
            raise spf.TempError("DNS timeout")
        for number, record in enumerate(reply.records if isinstance(reply, Found) else ()):
            value: Any = record
            if kind == "TXT":
                value = (record.encode("latin-1"),)
            elif kind == "MX":
                value = (number, record)
            yield (name, kind), value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spf, "DNSLookup", look_up)
        query = spf.query(address, sender, helo, strict=True, timeout=0, querytime=0)
        query.set_default_explanation("")
        result, _, explanation = query.check()
    return result, explanation if result == "fail" else ""


def term(names: list[str]) -> st.SearchStrategy[str]:
    """Make a term that asks for these names, or nothing."""
    qualifier = st.sampled_from(["", "", "+", "-", "~", "?"])
    prefix = st.sampled_from(["", "", "/24", "//32", "/31//127", "/0", "//0"])
    host, anything = st.sampled_from(HOSTS), st.sampled_from(HOSTS + NOWHERE)
    mechanism = st.one_of(
        st.builds("a:{}{}".format, anything, prefix),
        st.builds("mx:{}{}".format, host, prefix),
        st.builds("exists:{}".format, anything),
        st.builds("exists:{}.{}".format, st.sampled_from(["%{l1r-}", "%{ir}.%{v}", "%{H}"]), host),
        st.builds("a:%{{o2}}{}".format, prefix),
        st.builds("ptr:{}".format, host),
        st.sampled_from(
            ["all", "ip4:192.0.2.0/29", "ip4:192.0.2.0/33", "ip6:2001:db8::/64", "ip6:::7"]
            + [f"include:{name}" for name in names]
        ),
    )
    return st.builds("{}{}".format, qualifier, mechanism)


@st.composite
def zones(draw: st.DrawFn) -> dict[str, str | list[str]]:
    records: dict[str, str | list[str]] = {}
    for host in HOSTS:
        for kind, addresses in ADDRESSES.items():
            some = draw(st.lists(st.sampled_from(addresses), min_size=1, max_size=3, unique=True))
            records[f"{host} {kind}"] = " ".join(some)
        records[f"{host} MX"] = " ".join(draw(st.lists(st.sampled_from(HOSTS), min_size=1)))
        records[f"x-y.{host} A"] = "127.0.0.2"
        records[f"y.{host} A"] = "127.0.0.2"
    for version in (4, 6):
        pointer = ip_address(CLIENT[version]).reverse_pointer
        records[f"{pointer} PTR"] = " ".join(draw(st.lists(st.sampled_from(HOSTS), min_size=1)))
    for number, domain in enumerate(DOMAINS):
        others = DOMAINS[number + 1 :]
        terms: list[str] = draw(st.lists(term(others), max_size=6))
        targets = [[], *([f"redirect={each}"] for each in others)]
        terms += draw(st.sampled_from(targets))
        terms += draw(st.sampled_from(ENDS))
        text = " ".join(["v=spf1", *terms])
        kinds: list[str | list[str]] = [*[text] * 6, FAILS, "other", [text, text], [text, "x"]]
        records[f"{domain} TXT"] = draw(st.sampled_from(kinds)) if number else text
    whys: list[str | list[str]] = ["%{i} is not %{d}", "%{x}", ["a", "b"], FAILS]
    records["why.d.test TXT"] = draw(st.sampled_from(whys))
    return records


@given(zones(), st.sampled_from([4, 6]))
def test_pyspf_says_the_same(records: dict[str, str | list[str]], version: int) -> None:
    zone, client = Zone(records), ip_address(CLIENT[version])
    lookup = check_host(client, "d.test", "x-y@d.test", "h.example")
    found = LookupRun(zone.__getitem__)(lookup)
    assert (found.result, found.explanation) == judged_by_pyspf(
        zone, str(client), "x-y@d.test", "h.example"
    )
