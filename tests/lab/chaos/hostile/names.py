"""A name server that answers anyhow, by the dice."""

from collections.abc import Sequence
from random import Random

import dns.message
import dns.rdatatype

from lab.peers.nameserver import NameServer, add, failing, response_to

RECORDS: dict[str, Sequence[str]] = {
    "A": ("192.0.2.5", "127.0.0.2", "127.255.255.254", "203.0.113.1", "127.0.0.1", "127.0.4.70"),
    "AAAA": ("2001:db8::5", "::1"),
    "PTR": ("mail.example.", "192.0.2.9.", "192-0-2-5.example.net.", "a\\010b.example.", "."),
    "MX": ("10 mail.example.",),
    "TXT": ('"see\\013\\010filter-result|x|y|proceed"', '"{ip}"', '""'),
    "CNAME": ("loop.example.",),
}


class HostileNames(NameServer):
    """Knows something about every name, and says it, something else, garbage or nothing."""

    def __init__(self, dice: Random, port: int) -> None:
        super().__init__({}, ("127.0.0.1", port))
        self._dice = dice

    def answer(self, request: dns.message.QueryMessage) -> bytes | None:
        """Return an answer of any kind."""
        dice, question = self._dice, request.question[0]
        self.asked.clear()
        way = dice.random()
        if way < 0.002:
            return None
        if way < 0.05:
            return request.id.to_bytes(2, "big") + dice.randbytes(dice.randrange(100))
        if way < 0.1:
            return failing()(request)
        response = response_to(request)
        kind = dns.rdatatype.to_text(question.rdtype)
        if way < 0.8 and kind in RECORDS:
            texts = dice.choices(RECORDS[kind], k=dice.randint(1, 3))
            add(response, question.name, kind, texts, ttl=dice.choice((0, 1, 60)))
        return response.to_wire()
