"""The header fields of ``-m``, as the C filter-dnsbl writes them."""

from collections.abc import Iterator

from opensmtpd.mail.dnsbl.findings import Unknown
from opensmtpd.mail.dnsbl.score import Tally


def header_fields(tally: Tally, junk_at: float) -> Iterator[bytes]:
    """Yield the fields for a message of this client, without line ends."""
    for each in tally:
        name = each.list.shown.encode("ascii")
        if isinstance(each, Unknown):
            yield b"X-Spam-DNS: Error at " + name
        else:
            yield (b"X-Spam-DNSWL" if each.list.allow else b"X-Spam-DNSBL") + b": Listed at " + name
    if tally.score >= junk_at and not tally.allowed:
        yield b"X-Spam: Unknown" if tally.doubtful else b"X-Spam: Yes"
