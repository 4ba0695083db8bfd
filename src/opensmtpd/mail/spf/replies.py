"""The replies that a check has so far, and the questions that miss one."""

from collections.abc import Mapping, Sequence
from socket import AF_INET, AF_INET6, inet_pton

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.dns.names import is_wire_name, reverse_name
from opensmtpd.mail.client import IPAddress

VOIDS_MAX = 2
"""Questions of terms that find nothing (RFC 7208 section 4.6.4)."""
POINTERS_MAX = 10
"""Names of the client; more are left out (RFC 7208 section 4.6.4)."""


class KnownReplies:
    """The replies, as the terms of records look at them.

    A question without a reply finds nothing, and stands in ``missing``: nothing that was found is
    true before that is empty.
    """

    def __init__(self, address: IPAddress, known: Mapping[Question, Reply]) -> None:
        self.missing: dict[Question, None] = {}
        """The questions without a reply, in the order in which their replies are looked at."""
        self._address = address
        self._known = known
        self._family = AF_INET if address.version == 4 else AF_INET6
        ip4 = self._family == AF_INET
        self._kind = RecordType.A if ip4 else RecordType.AAAA
        self._other_kind = RecordType.AAAA if ip4 else RecordType.A
        self._voids: list[Question | None] = []

    def reply(self, name: str, kind: RecordType) -> Reply | None:
        """Return the reply to a question, or None where there is none so far.

        A name that does not fit into a question is one that does not exist (section 4.8).
        """
        question = Question(name, kind)
        reply = self._known.get(question)
        if reply is None:
            if not is_wire_name(name):
                return Absent(nxdomain=True)
            self.missing[question] = None
        return reply

    # --- what terms find ------------------------------------------------------------------------

    def records(self, name: str, kind: RecordType) -> Sequence[str]:
        """Return the records that a term asks for; finding none counts as void.

        Raises TimeoutError where the DNS did not tell, ValueError for one void question too many.
        """
        return self._records(name, kind, None)

    def addresses(self, name: str) -> list[int]:
        """Return the addresses of a host that are of the client's family, in the same way.

        A host that has only addresses of the other family is there: its question is not void.
        """
        other = Question(name, self._other_kind)
        found = [self._number(record) for record in self._records(name, self._kind, other)]
        return [number for number in found if number is not None]

    def pointers(self) -> Sequence[str]:
        """Return the names that the client's address points to, at most 10; none counts as void.

        Where the DNS did not tell, the client has no names (section 5.5).
        """
        reply = self._pointers()
        if isinstance(reply, Absent):
            self._count_void(None)
        return _names(reply)

    def _records(self, name: str, kind: RecordType, other: Question | None) -> Sequence[str]:
        reply = self.reply(name, kind)
        if isinstance(reply, Found):
            return reply.records
        if isinstance(reply, Failed):
            raise TimeoutError(f"{name} {kind}: {reply.reason}")
        if reply is not None and is_wire_name(name):  # otherwise nothing was asked
            self._count_void(None if reply.nxdomain else other)
        return ()

    def _count_void(self, other: Question | None) -> None:
        """Count a question that found nothing, of which ``other`` may tell that it is not void.

        Literally, an IPv6 client finds nothing at hosts that have only IPv4 addresses, and three of
        them would be an error. The RFC means names that are gone: so, where the third void question
        would be an error, the other family is asked, too.
        """
        self._voids.append(other)
        if len(self._voids) > VOIDS_MAX and sum(map(self._is_void, self._voids)) > VOIDS_MAX:
            raise ValueError(f"more than {VOIDS_MAX} questions that found nothing")

    def _is_void(self, other: Question | None) -> bool:
        return other is None or isinstance(self.reply(*other), Absent)

    # --- the names of the client ------------------------------------------------------------------

    def is_valid(self, name: str) -> bool | None:
        """Return whether a name of the client leads back to its address; None: not known so far.

        A name of which the DNS did not tell does not (section 5.5).
        """
        reply = self.reply(name, self._kind)
        if reply is None:
            return None
        own = int(self._address)
        return isinstance(reply, Found) and own in map(self._number, reply.records)

    def client_name(self, domain: str) -> str | None:
        """Return a valid name of the client for a macro (section 7.3); None: not known so far.

        ``domain`` itself is the best one, one below it is better than the others.
        """
        reply = self._pointers()
        known = reply is not None
        for name in sorted(_names(reply), key=lambda name: _distance(name, domain)):
            valid = self.is_valid(name)
            if valid and known:
                return name
            known = known and valid is not None
        return "unknown" if known else None

    def _pointers(self) -> Reply | None:
        return self.reply(reverse_name(self._address), RecordType.PTR)

    def _number(self, record: str) -> int | None:
        try:
            return int.from_bytes(inet_pton(self._family, record), "big")
        except (OSError, ValueError):
            return None


def _names(pointers: Reply | None) -> tuple[str, ...]:
    return pointers.records[:POINTERS_MAX] if isinstance(pointers, Found) else ()


def is_within(name: str, domain: str) -> bool:
    """Return whether a name is ``domain`` or is below it."""
    return name == domain or name.endswith("." + domain)


def _distance(name: str, domain: str) -> int:
    return 0 if name == domain else 1 if is_within(name, domain) else 2
