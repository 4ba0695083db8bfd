"""The judgement of one message while it arrives: no I/O.

::

    envelope           spf_results() of ``identities`` asks SPF
    header arrives     judgement.header(lines)
    header complete    judgement.header_ends(); judgement.ask() asks for keys and policies
    body arrives       judgement.body(lines)
    end of message     judgement.body_ends(); replies of the worker to judgement.claims()
    judgement          judgement.findings(spf, replies), then dispose() of ``disposition``
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from opensmtpd.dns import Lookup, gather
from opensmtpd.mail.arc.verify import ArcVerification
from opensmtpd.mail.client import Client
from opensmtpd.mail.dkim.canonical_header import finder
from opensmtpd.mail.dkim.verify.bodies import BodyHashes
from opensmtpd.mail.dkim.verify.verifier import DkimVerification
from opensmtpd.mail.dmarc.author import authors
from opensmtpd.mail.dmarc.policy import evaluate, prefetch
from opensmtpd.mail.inbound.edits import hides_results
from opensmtpd.mail.inbound.findings import Findings, iprev
from opensmtpd.mail.inbound.identities import SpfResults
from opensmtpd.mail.inbound.policies import covers
from opensmtpd.mail.inbound.rules import InboundRules

_signatures = finder(
    (b"DKIM-Signature", b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results")
)


def _cost(header: bytes) -> int:
    """Return the bytes that are kept of a header for its signatures, at most.

    Texts are kept up to three times; 100 signatures and 50 ARC sets are looked at.
    """
    values = [value for *_, value in _signatures(header)]
    return 3 * sum(map(len, values)) + 1024 * min(len(values), 250)


class Judgement:
    """The judgement of one message: call its methods in the order of the module's text."""

    def __init__(self, rules: InboundRules, client: Client, now: int) -> None:
        """``client`` has said HELO and MAIL FROM; ``now`` is in seconds since 1970."""
        self._rules, self._client, self._now = rules, client, now
        self._header = bytearray()
        self._bodies = BodyHashes()
        self.hides_results = False
        """True where a line that is no field may be read as results: see ``edits``."""
        self.kept = 0
        """Bytes of memory that is kept of the header when it has been read, about."""
        self._arc_claims = 0

    def header(self, lines: list[bytes]) -> None:
        """Take a run of header lines, without line ends and without dot-stuffing."""
        if lines:
            self._header += b"\n" + b"\n".join(lines)  # each line behind a line feed

    def header_ends(self) -> None:
        """Read the header. Nothing of it is kept but what its signatures need: ``kept``."""
        header, self._header = bytes(self._header), bytearray()
        self.hides_results = hides_results(header)
        self.kept = _cost(header)
        self._authors = authors(header, partial(covers, self._rules.protected))
        author = self._authors.domains[0] if len(self._authors.domains) == 1 else None
        now, weak = self._now, self._rules.weak
        # ARC first: it needs one of the few body hashes that there are.
        self._arc = ArcVerification(header, self._bodies, now=now, weak=weak)
        self._dkim = DkimVerification(header, self._bodies, author=author, now=now, weak=weak)

    def ask(self) -> Lookup[None]:
        """Ask for all public keys, and for the policies that ``findings`` asks for again.

        It may run while the body arrives.
        """
        yield from gather([self._arc.keys(), self._dkim.keys(), self._policies()])

    def _policies(self) -> Lookup[None]:
        if len(self._authors.domains) == 1:
            [author] = self._authors.domains
            yield prefetch(author, self._dkim.signer_domains(), self._client.domain or "")

    def body(self, lines: list[bytes]) -> None:
        """Take a run of body lines, without line ends and without dot-stuffing."""
        self._bodies.feed(lines)

    def body_ends(self) -> None:
        """Finish the hashes of the body."""
        self._bodies.end()

    def claims(self) -> list[Any]:
        """Return what a PublicKeyWorker is to verify, [] for nothing: ``ask`` has run."""
        arc = self._arc.claims()
        self._arc_claims = len(arc)
        return [*arc, *self._dkim.claims()]

    def findings(self, spf: SpfResults, replies: Sequence[Any]) -> Lookup[Findings]:
        """Ask for the policy of the author's domain, and return all results.

        ``replies`` are those of the worker to ``claims``.
        """
        arc = self._arc.result(replies[: self._arc_claims])
        dkim = tuple(self._dkim.results(replies[self._arc_claims :]))
        dmarc = yield from evaluate(self._authors, spf.sender, dkim, self._rules.suffix)
        client = self._client
        return Findings(client, self._authors, iprev(client), spf, dkim, arc, dmarc)


def judge(
    judgement: Judgement,
    spf: Lookup[SpfResults],
    header: Iterable[bytes],
    body: Iterable[bytes],
    verify: Callable[[list[Any]], Sequence[Any]],
) -> Lookup[Findings]:
    """Return the results for a message that is there as a whole, each line without its end.

    ``verify`` returns what a PublicKeyWorker replies to claims.
    """
    judgement.header(list(header))
    judgement.header_ends()
    judgement.body(list(body))
    judgement.body_ends()
    lookups: list[Lookup[Any]] = [spf, judgement.ask()]
    envelope, _ = yield from gather(lookups)
    claims = judgement.claims()
    return (yield from judgement.findings(envelope, verify(claims) if claims else []))
