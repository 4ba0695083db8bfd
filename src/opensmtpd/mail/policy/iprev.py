"""The "iprev" test of a client by our own lookups: PTR, then forward (RFC 8601 section 2.7.3)."""

from opensmtpd.dns import Absent, Failed, Found, Lookup, Question, RecordType
from opensmtpd.dns.names import address as address_in
from opensmtpd.dns.names import reverse_name
from opensmtpd.mail.client import Client, IPAddress

NAMES_MAX = 20
"""Names of an address that are tried, at most: each costs a question to a name server."""


def look_up(client: Client, address: IPAddress) -> Lookup[Client]:
    """Return the client with ``rdns`` and ``fcrdns`` as the DNS has them.

    They have smtpd's values: no name and ``"fail"`` where there is no PTR record, no name and
    ``"error"`` where the DNS did not tell. All names are tried (smtpd tries the first); the first
    that leads back to the address is the client's name.
    """
    [pointers] = yield [Question(reverse_name(address), RecordType.PTR)]
    if not isinstance(pointers, Found):
        verdict = "error" if isinstance(pointers, Failed) else "fail"
        return client._replace(rdns=None, fcrdns=verdict)
    # smtpd does not take an address for a name: see ``client.rdns``. Such names come last.
    names = sorted(pointers.records, key=_is_address)[:NAMES_MAX]
    kind = RecordType.A if address.version == 4 else RecordType.AAAA
    replies = yield [Question(name, kind) for name in names]
    name, verdict = names[0], "fail"
    for each, reply in zip(names, replies, strict=True):
        if isinstance(reply, Found) and str(address) in reply.records:
            name, verdict = each, "pass"
            break
        if isinstance(reply, Failed):
            verdict = "error"
    return client._replace(rdns=None if _is_address(name) else name, fcrdns=verdict)


def _is_address(name: str) -> bool:
    return address_in(name) is not None


def has_address(name: str) -> Lookup[bool | None]:
    """Return whether a name has an address or an MX record; None where the DNS did not tell."""
    replies = yield [
        Question(name, kind) for kind in (RecordType.A, RecordType.AAAA, RecordType.MX)
    ]
    if any(isinstance(reply, Found) for reply in replies):
        return True
    return False if all(isinstance(reply, Absent) for reply in replies) else None
