"""The checks of filter-rdns and filter-fcrdns: they yield findings against a client."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from opensmtpd.dns import Lookup
from opensmtpd.dns.names import is_query_name
from opensmtpd.mail.client import MAPPED, Client
from opensmtpd.mail.policy import helo
from opensmtpd.mail.policy.dynamic_names import looks_dynamic
from opensmtpd.mail.policy.filter import CONNECT, HELO
from opensmtpd.mail.policy.iprev import has_address


class Check(NamedTuple):
    """A check: when it runs, its help, and the text of its refusal."""

    phase: str
    help: str
    """The condition that it finds, for ``--help``."""
    refusal: str
    """The text of a refusal. Its status code has no class: ``7.25``, not ``5.7.25``."""


_RDNS = "7.25 Reverse DNS validation failed"  # RFC 7372 section 3.3
CHECKS = {
    "rdns": Check(CONNECT, "the client has no name in the DNS", _RDNS),
    "fcrdns": Check(CONNECT, "its name does not lead back to its address", _RDNS),
    "dynamic": Check(
        CONNECT,
        "its name looks like those that providers give to customers' lines",
        "7.1 Mail from dynamic addresses is not accepted here",
    ),
    "helo-name": Check(
        HELO,
        "HELO is neither a full host name nor the address of a host in brackets",
        "5.2 A full host name is expected",
    ),
    "helo-ours": Check(
        HELO,
        "HELO is a name or an address of this server, such as localhost and [127.0.0.1]",
        "7.1 That is not your name",
    ),
    "helo-dns": Check(
        HELO,
        "HELO has neither an address nor an MX in the DNS",
        "7.1 The name of your host is not in the DNS",
    ),
}


_FAILURES = {
    "error": "could not be looked up",
    MAPPED: "was looked up by smtpd as an IPv4-mapped address, which has no name",
}
EMPTY = "an empty name"
"""The text of a finding in the place of a name without a character but dots."""


class PolicyFinding(NamedTuple):
    """A finding of a check against a client."""

    check: str
    text: str
    failed: bool = False
    """True where the DNS did not tell: the client is not to blame."""


def name_findings(client: Client, dynamic: bool) -> Iterator[PolicyFinding]:
    """Yield the findings about the client's name in the DNS.

    They are failures where its ``fcrdns`` is ``error`` or ``MAPPED``. The check for names that look
    dynamic runs only if ``dynamic``.
    """
    failed = client.fcrdns in _FAILURES
    if client.rdns is None:
        how = _FAILURES.get(client.fcrdns, "has no name in the DNS")
        yield PolicyFinding("rdns", f"{client.address} {how}", failed)
        # smtpd says "pass" of an address whose PTR record reads like an address.
        if client.fcrdns != "pass":
            yield PolicyFinding("fcrdns", f"{client.address} {how}", failed)
        return
    if client.fcrdns != "pass":
        how = _FAILURES.get(client.fcrdns, f"does not lead to {client.address}")
        yield PolicyFinding("fcrdns", f"{client.rdns or EMPTY} {how}", failed)
    sign = looks_dynamic(client.rdns, client.address) if dynamic and client.address else None
    if sign is not None:
        yield PolicyFinding("dynamic", f"{client.rdns} looks dynamic: {sign}")


def helo_findings(
    client: Client, our_names: Collection[str], ask: bool
) -> Lookup[list[PolicyFinding]]:
    """Return the findings about the argument of HELO; the DNS is asked only if ``ask``."""
    name = client.helo_name
    shown = name or EMPTY
    findings = []
    if not helo.is_name(name):
        kind = "full host name" if helo.literal(name) is None else "address of a host"
        findings.append(PolicyFinding("helo-name", f"{shown} is no {kind}"))
    if helo.is_ours(name, client, our_names):
        findings.append(PolicyFinding("helo-ours", f"{shown} is this server"))
    if ask and helo.literal(name) is None:
        known = is_query_name(name) and (yield from has_address(name))
        if known is None:
            findings.append(
                PolicyFinding("helo-dns", f"{shown} could not be looked up", failed=True)
            )
        elif not known:
            findings.append(PolicyFinding("helo-dns", f"{shown} is not in the DNS"))
    return findings
