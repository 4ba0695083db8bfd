"""The connection of table-redis: names of queries become commands, and replies plain data."""

from collections.abc import Sequence
from typing import Any

from opensmtpd.backends.network.connection import Fault, ServerQuestion, ServerReply
from opensmtpd.backends.redis import commands
from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.place import RedisPlace
from opensmtpd.backends.redis.query import Query
from opensmtpd.backends.redis.resp import RespFailure, RespReply, RespStatus, pack
from opensmtpd.backends.redis.servers import Servers
from opensmtpd.errors import ServerRefused
from opensmtpd.table import to_bytes, to_str

REMEDIES = {
    "MOVED": "it is part of a cluster: name a server that is none, or a proxy",
    "NOPERM": "see ACL SETUSER of the server",
    "NOAUTH": "say 'password' or 'password_file'",
    "WRONGTYPE": "the key holds another type than the command reads",
}
"""By the codes of errors."""


class RedisConnection:
    """Asks Redis or Valkey. A question is ``[name of a query, key]``, without the key for lists.

    Replies are str, int, None, and lists of these.
    """

    def __init__(self, data: Any) -> None:
        """``data`` is what ``RedisBackend.plain`` returned. Raises ConfigError for certificates."""
        places, queries = data
        self._servers = Servers([RedisLink(RedisPlace(*fields)) for fields in places])
        self._queries = {name: Query(text, line) for name, text, line in queries}

    def connect(self, until: float) -> None:
        """Connect to the first server that can be reached. Raises ServerLost, ServerLate."""
        self._servers.open(until)

    def ask(self, questions: Sequence[ServerQuestion], until: float) -> list[ServerReply]:
        """Return the replies to all questions, from one round trip.

        Raises ServerLost, ServerLate, and ServerRefused for the first error among the replies. The
        key of a list is its name, for it has no place for a key.
        """
        queries, exchange = self._queries, self._servers.exchange
        if len(questions) == 1:  # as most are; the rest does the same for more, in more time
            name, key = questions[0][0], questions[0][-1]
            [reply] = exchange(queries[name].command(to_bytes(key)), 1, until)
            if type(reply) is bytes:
                return [to_str(reply)]
            return [self._plain(name, reply)]
        packed = [queries[question[0]].command(to_bytes(question[-1])) for question in questions]
        replies = exchange(b"".join(packed), len(packed), until)
        return [
            self._plain(question[0], reply)
            for question, reply in zip(questions, replies, strict=True)
        ]

    def _plain(self, name: str, reply: RespReply) -> ServerReply:
        if isinstance(reply, bytes):
            return to_str(reply)
        if isinstance(reply, list):
            return [
                to_str(each) if type(each) is bytes else self._plain(name, each) for each in reply
            ]
        if isinstance(reply, RespFailure):
            raise ServerRefused(f"{name}: {_with_remedy(reply)}")
        if isinstance(reply, RespStatus):
            raise ServerRefused(f"{name}: {self._queries[name].name} gives a status, and no value")
        return reply

    def check(self, until: float) -> list[Fault]:
        """Return what the server finds wrong with the queries. Raises ServerLost, ServerLate.

        Those that only read are tried with an empty key.
        """
        queries = list(self._queries.items())
        asked = [pack([b"COMMAND", b"INFO", query.name.encode()]) for _, query in queries]
        infos = dict(zip(self._queries, self._exchanged(asked, until), strict=True))
        faults = [_misuse(name, query, infos[name]) for name, query in queries]
        tried = [each for each in queries if commands.only_reads(infos[each[0]])]
        replies = self._exchanged([query.command(b"") for _, query in tried], until)
        faults += [_refusal(*each, reply) for each, reply in zip(tried, replies, strict=True)]
        return [fault for fault in faults if fault is not None]

    def _exchanged(self, packed: list[bytes], until: float) -> list[RespReply]:
        return self._servers.exchange(b"".join(packed), len(packed), until) if packed else []

    def close(self) -> None:
        """Close it. Never raises."""
        self._servers.close()


def _misuse(name: str, query: Query, info: RespReply) -> Fault | None:
    fault = commands.misuse(query, info)
    return (
        [f"{name}: {fault}", query.line, "see the documentation of the server"] if fault else None
    )


def _refusal(name: str, query: Query, reply: RespReply) -> Fault | None:
    if isinstance(reply, RespFailure):
        return [f"{name}: {reply}", query.line, REMEDIES.get(reply.code, "correct the query")]
    if isinstance(reply, RespStatus):
        return [f"{name}: {query.name} gives a status, and no value", query.line, "use another"]
    return None


def _with_remedy(failure: RespFailure) -> str:
    remedy = REMEDIES.get(failure.code)
    return f"{failure}; {remedy}" if remedy else failure
