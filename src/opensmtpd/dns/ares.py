"""Asks name servers through aiodns: 3.2 with pycares 4, and 4 with pycares 5.

Nothing of what the DNS says gets past here but names that are names, addresses, and octets.
"""

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import Any, TypeAlias

import aiodns
import pycares

from opensmtpd.dns.names import askable
from opensmtpd.dns.questions import Absent, Failed, Found, Kind, Question, Reply
from opensmtpd.dns.servers import Server

TIMEOUT = 2.0
"""Seconds until a name server is asked again, or the next one, before c-ares knows them."""
MISREAD = 2
"""How often more a question is asked whose answer could not be read."""
PAUSE = 0.1
"""Seconds until then at most."""
BUFFER = 4 * 1024 * 1024
"""Bytes of answers that may wait in a socket: there may be thousands at once."""
RESOLV_CONF = "/etc/resolv.conf"
NOBODY = "192.0.2.1"
"""An address that no name server has (RFC 5737)."""
RECORDS_MAX = 100
"""Records of an answer that are looked at."""
UNKNOWN_TTL = 60
"""Seconds that an answer is good for where pycares 4 does not say: it does for addresses only."""

NEW = int(aiodns.__version__.partition(".")[0]) >= 4
_ABSENT = (pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA)
_MISREAD = pycares.errno.ARES_EBADRESP
_TIMEOUT = pycares.errno.ARES_ETIMEOUT

Done: TypeAlias = Callable[[Reply, float], None]


class Ares:
    """Two channels of c-ares. Made in a running loop; ``servers`` empty: those of resolv.conf.

    c-ares waits for an answer five times as long as it mostly has to, so that a name server which
    knows most answers has a quarter of a second for those that it must look for. What is late there
    is asked again on a channel that knows but those.
    """

    def __init__(self, servers: Sequence[Server]) -> None:
        options: dict[str, Any] = {"socket_receive_buffer_size": BUFFER}
        if servers and NEW:
            options["nameservers"] = [str(server) for server in servers]
        elif servers:
            # All of one port: ``options.resolver`` has seen to it.
            options["nameservers"] = [server.address for server in servers]
            options["udp_port"] = options["tcp_port"] = servers[0].port
        self._servers: Sequence[str] = options.get("nameservers", ())
        self._quick = aiodns.DNSResolver(timeout=TIMEOUT, tries=1, **options)
        self._patient = aiodns.DNSResolver(timeout=TIMEOUT, tries=2, **options)

    def ask(self, question: Question, done: Done, again: int = MISREAD) -> None:
        """Ask; ``done`` is called with the reply and its TTL, which is 0 where it has none.

        Futures and callbacks, no tasks: there may be thousands of questions at a time.
        """
        self._ask(self._quick, question, done, again)

    def _ask(self, channel: aiodns.DNSResolver, question: Question, done: Done, again: int) -> None:
        query: Callable[..., asyncio.Future[Any]] = channel.query_dns if NEW else channel.query
        try:
            answer = query(question.name, question.kind.value)
        except Exception as error:  # no memory, say
            failed = Failed(type(error).__name__, ours=True)
            asyncio.get_running_loop().call_soon(done, failed, 0.0)
        else:
            answer.add_done_callback(partial(self._answered, channel, question, done, again))

    def _answered(
        self,
        channel: aiodns.DNSResolver,
        question: Question,
        done: Done,
        again: int,
        answer: "asyncio.Future[Any]",
    ) -> None:
        error = None if answer.cancelled() else answer.exception()
        code = error.args[0] if isinstance(error, aiodns.error.DNSError) else None
        if again and code == _MISREAD:
            # c-ares gives up a socket on which something came that it could not read, whatever else
            # was asked there. Ask again, but not together with the others.
            pause = random.uniform(0, PAUSE)
            loop = asyncio.get_running_loop()
            loop.call_later(pause, self._ask, channel, question, done, again - 1)
        elif code == _TIMEOUT and channel is self._quick:
            self._ask(self._patient, question, done, again)
        else:
            done(*_reply(question.kind, answer, error))

    def forget(self) -> None:
        """Have c-ares forget its answers; questions under way are none the worse for it.

        It keeps every one for up to an hour, and one that is hostile takes half a megabyte. There
        is no switch for that, but it forgets them when its servers change.
        """
        with suppress(Exception):  # nothing that anybody waits for
            if not self._servers:
                self._servers = self._from_resolv_conf()
            if any("fe80:" in server for server in self._servers):
                return  # pycares 4 does not tell which interface it is on
            for channel in (self._quick, self._patient):
                channel.nameservers = [*self._servers, NOBODY]
                channel.nameservers = self._servers

    def _from_resolv_conf(self) -> Sequence[str]:
        """Return the name servers that c-ares found there. Raises LookupError, OSError.

        aiodns hides the ports, which pycares 4 does not even know; such lines have brackets.
        """
        if NEW:
            return list(self._quick._channel.servers)
        with open(RESOLV_CONF, "rb") as file:
            if re.search(rb"^\s*nameserver\s+\[", file.read(), re.MULTILINE):
                raise LookupError
        return self._quick.nameservers


def _reply(
    kind: Kind, answer: "asyncio.Future[Any]", error: BaseException | None
) -> tuple[Reply, float]:
    if answer.cancelled():
        return Failed("given up"), 0
    if isinstance(error, aiodns.error.DNSError):
        code, text = error.args[0], error.args[-1]
        return (Absent() if code in _ABSENT else Failed(str(text))), 0
    try:
        return _read(kind, answer.result())
    except Exception as wrong:  # whatever a library makes of a hostile answer
        return Failed(type(wrong).__name__), 0


def _read(kind: Kind, result: Any) -> tuple[Reply, float]:
    rows, ttl = _new(kind, result) if NEW else _old(kind, result)
    records = tuple(dict.fromkeys(rows))[:RECORDS_MAX]
    return (Found(records), ttl) if records else (Absent(), 0)


# --- aiodns 4: every record of the answer, with its TTL -------------------------------------------

_FIELDS = {
    Kind.A: "addr",
    Kind.AAAA: "addr",
    Kind.PTR: "dname",
    Kind.TXT: "data",
    Kind.MX: "exchange",
    Kind.SOA: "minimum",
}


def _new(kind: Kind, result: Any) -> tuple[Iterable[str], float]:
    wanted = getattr(pycares, f"QUERY_TYPE_{kind.value}")
    rows = [record for record in result.answer if record.type == wanted]
    if kind is Kind.MX:
        rows.sort(key=lambda record: record.data.priority)
    # Aliases on the way count, too: they may lead elsewhere sooner.
    ttl = min((record.ttl for record in result.answer), default=0)
    values = [getattr(record.data, _FIELDS[kind]) for record in rows]
    if kind is Kind.SOA:
        return [str(min(minimum, ttl)) for minimum in values], ttl
    return _clean(kind, values), ttl


# --- aiodns 3: results of a class for each kind, mostly without TTL -------------------------------


def _old(kind: Kind, result: Any) -> tuple[Iterable[str], float]:
    if kind is Kind.SOA:
        return [str(result.minttl)], UNKNOWN_TTL
    if kind is Kind.PTR:
        return _clean(kind, result.aliases or [result.name]), UNKNOWN_TTL
    if kind is Kind.MX:
        ordered = sorted(result, key=lambda record: record.priority)
        return _clean(kind, [record.host for record in ordered]), UNKNOWN_TTL
    if kind is Kind.TXT:
        return _clean(kind, [record.text for record in result]), UNKNOWN_TTL
    ttl = min((record.ttl for record in result), default=0)
    return _clean(kind, [record.host for record in result]), ttl


# --- both -----------------------------------------------------------------------------------------


def _clean(kind: Kind, values: Iterable[str | bytes]) -> Iterable[str]:
    texts = [value.decode("latin-1") if isinstance(value, bytes) else value for value in values]
    if kind is Kind.TXT:
        return texts
    if kind in (Kind.A, Kind.AAAA):
        return [str(ip_address(text)) for text in texts]
    names = (text.removesuffix(".").lower() for text in texts)
    return [name for name in names if askable(name)]
