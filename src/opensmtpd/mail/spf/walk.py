"""One walk through SPF records, with the replies that there are so far (RFC 7208 section 4.6).

Terms are met in the order of their evaluation, and counted so. A term whose replies are missing
counts as one that does not match, and the walk goes on for the questions of those behind it: all
are asked at once. But a result stands only where no reply is missing, so that no question that was
asked ahead changes it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.spf import macros
from opensmtpd.mail.spf.macros import LetterValue, MacroFacts, MacroString
from opensmtpd.mail.spf.page import SpfPage
from opensmtpd.mail.spf.record import Mechanism, explanation, select
from opensmtpd.mail.spf.replies import KnownReplies, is_within

TERMS_MAX = 10
"""Terms that ask the DNS, in all records of a check (section 4.6.4)."""
HOSTS_MAX = 10
"""MX records of a domain (section 4.6.4)."""
OCTETS_MAX = 65_536
"""Octets of all records of a check. It bounds our work; the RFC advises 450 for one (3.4)."""


class WalkOutcome(NamedTuple):
    """The result of a record for the client."""

    result: str
    reason: str = ""
    """Of an error, why; it may hold foreign text."""
    mechanism: str = ""
    """The term that matched, ``default`` where none did."""
    page: SpfPage | None = None
    """The record that has it: after a redirect, it is another one than the domain's."""


NONE = WalkOutcome("none")


class RecordWalk:
    """A walk. What it returns stands only where ``missing`` is empty afterwards."""

    def __init__(
        self,
        facts: MacroFacts,
        known: Mapping[Question, Reply],
        pages: dict[str, SpfPage | ValueError | None],
    ) -> None:
        """Take the replies so far; ``pages`` keeps records from one walk of a check to the next."""
        self.needed = 0
        """The number of ``missing`` that are certainly needed; 0 for all. Others are ahead."""
        self._facts = facts
        self._replies = KnownReplies(facts.address, known)
        self._pages = pages
        self._terms = 0
        self._octets = 0

    @property
    def missing(self) -> dict[Question, None]:
        """The questions without a reply, in the order in which their replies are looked at."""
        return self._replies.missing

    def check(self, domain: str) -> WalkOutcome:
        """Return what the record of a domain says (sections 4.3 to 4.7)."""
        try:
            return self._check(domain)
        except ValueError as error:
            return WalkOutcome("permerror", str(error))
        except TimeoutError as error:
            return WalkOutcome("temperror", str(error))

    def explain(self, page: SpfPage) -> str:
        """Return the explanation that a record has for a fail; empty for none (section 6.2)."""
        target = self._target(page.explanation, page) if page.explanation else None
        reply = self._replies.reply(target, RecordType.TXT) if target else None
        if not isinstance(reply, Found) or len(reply.records) > 1:
            return ""
        try:
            string = explanation(reply.records[0])
        except ValueError:
            return ""
        return self._expanded(string, page, macros.text_of) or ""

    # --- records --------------------------------------------------------------------------------

    def _check(self, domain: str) -> WalkOutcome:
        page = self._page(domain)
        if page is None:
            return NONE
        for mechanism in page.asking:
            if self._matches(mechanism, page):
                return WalkOutcome(mechanism.result, "", mechanism.text, page)
            if not self.needed:
                self.needed = len(self.missing)
        if page.last is not None:
            return WalkOutcome(page.last.result, "", page.last.text, page)
        if not page.redirect:
            return WalkOutcome("neutral", "", "default", page)
        self._count_term()
        return self._of_another("redirect", page.redirect, page)

    def _of_another(self, term: str, string: MacroString, page: SpfPage) -> WalkOutcome:
        """Return the outcome of a record that another one names."""
        before = len(self.missing)
        target = self._target(string, page)
        outcome = NONE if target is None else self._check(target)
        if outcome is NONE and len(self.missing) == before:
            raise ValueError(f"{term}: {target} has no SPF record")
        return outcome

    def _page(self, domain: str) -> SpfPage | None:
        """Return the record of a domain, None where there is none or it is not known so far."""
        if "." not in domain:
            return None
        reply = self._replies.reply(domain, RecordType.TXT)
        if isinstance(reply, Failed):
            raise TimeoutError(f"{domain} TXT: {reply.reason}")
        if not isinstance(reply, Found):
            return None
        if domain not in self._pages:
            self._pages[domain] = self._read(domain, reply.records)
        page = self._pages[domain]
        if isinstance(page, ValueError):
            raise page
        if page is not None:
            self._octets += page.octets
        return page

    def _read(self, domain: str, texts: Sequence[str]) -> SpfPage | ValueError | None:
        try:
            text = select(texts)
            if text is None:
                return None
            if self._octets + len(text) > OCTETS_MAX:
                return ValueError(f"more than {OCTETS_MAX} octets of SPF records")
            return SpfPage(domain, text, self._facts.address)
        except ValueError as error:
            return ValueError(f"{domain}: {error}")

    def _count_term(self) -> None:
        self._terms += 1
        if self._terms > TERMS_MAX:
            raise ValueError(f"more than {TERMS_MAX} terms that ask the DNS")

    # --- mechanisms (section 5) -------------------------------------------------------------------

    def _matches(self, mechanism: Mechanism, page: SpfPage) -> bool:
        self._count_term()
        if mechanism.name == "include":
            return self._of_another("include", mechanism.target, page).result == "pass"
        target = self._target(mechanism.target, page) if mechanism.target else page.domain
        if target is None:
            return False
        match mechanism.name:
            case "a":
                return self._has_client(target, mechanism)
            case "mx":
                return self._receives(target, mechanism)
            case "exists":
                return bool(self._replies.records(target, RecordType.A))
            case _:
                names = [name for name in self._replies.pointers() if is_within(name, target)]
                return any(self._replies.is_valid(name) for name in names)

    def _receives(self, target: str, mechanism: Mechanism) -> bool:
        hosts = self._replies.records(target, RecordType.MX)
        if len(hosts) > HOSTS_MAX:
            raise ValueError(f"more than {HOSTS_MAX} MX records of {target}")
        return any(self._has_client(host, mechanism) for host in dict.fromkeys(hosts))

    def _has_client(self, host: str, mechanism: Mechanism) -> bool:
        address = self._facts.address
        prefix = mechanism.ip4_prefix if address.version == 4 else mechanism.ip6_prefix
        own, shift = int(address), address.max_prefixlen - prefix
        return any((number ^ own) >> shift == 0 for number in self._replies.addresses(host))

    # --- macros -----------------------------------------------------------------------------------

    def _target(self, string: MacroString, page: SpfPage) -> str | None:
        """Return the name that macros stand for; None where it is not known so far."""
        if string not in page.targets:
            target = self._expanded(string, page, macros.name_of)
            if target is None:
                return None
            page.targets[string] = target
        return page.targets[string]

    def _expanded(
        self, string: MacroString, page: SpfPage, how: Callable[[MacroString, LetterValue], str]
    ) -> str | None:
        client = self._replies.client_name(page.domain) if macros.asks(string) else ""
        if client is None:
            return None
        return how(string, macros.values(self._facts, page.domain, client))
