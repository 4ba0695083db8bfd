"""Ask name servers through aiodns: 3.2 with pycares 4, and 4 with pycares 5.

Replies that leave this module hold what ``answers`` makes of an answer, and nothing else of it.
"""

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

import aiodns
import pycares

from opensmtpd.dns.question import Absent, Failed, Question, RecordType, Reply
from opensmtpd.dns.resolver.process import answers
from opensmtpd.dns.resolver.process.watched import WatchedResolver
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.files import reading

TIMEOUT = 2.0
"""Seconds until c-ares asks again, or the next name server, before it has measured any."""
MISREAD = 2
"""The number of repetitions of a question whose answer could not be read."""
PAUSE = 0.1
"""Seconds before such a repetition, at most."""
BUFFER = 4 * 1024 * 1024
"""Bytes of answers that may wait in a socket: there may be thousands of answers at a time."""
RESOLV_CONF = "/etc/resolv.conf"
NOBODY = "192.0.2.1"
"""An address that no name server has (RFC 5737 section 3)."""
UNKNOWN_TTL = 60
"""Seconds for which an answer is good where pycares 4 gives no TTL: it does for addresses only."""

NEW = int(aiodns.__version__.partition(".")[0]) >= 4
_ABSENT = {pycares.errno.ARES_ENOTFOUND: True, pycares.errno.ARES_ENODATA: False}
"""Errors that are an absence, and whether the name does not exist."""
_TYPES = {kind: getattr(pycares, f"QUERY_TYPE_{kind.value}") for kind in RecordType}
_MISREAD = pycares.errno.ARES_EBADRESP
_TIMEOUT = pycares.errno.ARES_ETIMEOUT

Done: TypeAlias = Callable[[Reply, float], None]


class Ares:
    """Two channels of c-ares, a quick and a patient one. Make it in a running loop.

    Empty ``servers`` stand for those of resolv.conf.

    c-ares waits for an answer five times as long as a name server usually takes. A name server that
    knows most answers therefore has only a quarter of a second for those that it must look up. A
    question that times out on the quick channel is asked again on the patient one, which has
    measured slow answers only.
    """

    def __init__(self, servers: Sequence[ServerAddress]) -> None:
        options: dict[str, Any] = {"socket_receive_buffer_size": BUFFER}
        if servers and NEW:
            options["nameservers"] = [str(server) for server in servers]
        elif servers:
            # ``ResolverWorker.load`` has checked that all have the same port.
            options["nameservers"] = [server.address for server in servers]
            options["udp_port"] = options["tcp_port"] = servers[0].port
        self._servers: Sequence[str] = options.get("nameservers", ())
        self._quick = WatchedResolver(timeout=TIMEOUT, tries=1, **options)
        self._patient = WatchedResolver(timeout=TIMEOUT, tries=2, **options)

    def ask(self, question: Question, done: Done, again: int = MISREAD) -> None:
        """Ask, and call ``done`` with the reply and its TTL in seconds, 0 where it has none.

        This uses callbacks, not tasks: there may be thousands of questions at a time.
        """
        self._ask(self._quick, question, done, again)

    def _ask(self, channel: WatchedResolver, question: Question, done: Done, again: int) -> None:
        try:
            ended = partial(self._answered, channel, question, done, again)
            channel.ask(question.name, _TYPES[question.kind], ended)
        except Exception as error:  # no memory, say
            failed = Failed(type(error).__name__, ours=True)
            asyncio.get_running_loop().call_soon(done, failed, 0.0)

    def _answered(
        self,
        channel: WatchedResolver,
        question: Question,
        done: Done,
        again: int,
        answer: Any,
        code: int | None,
    ) -> None:
        if code is None:
            done(*_reply(question.kind, answer))
        elif again and code == _MISREAD:
            # c-ares closes a socket on which it received something that it could not read, and
            # fails all questions of that socket. Ask again, at another time than the others.
            pause = random.uniform(0, PAUSE)
            loop = asyncio.get_running_loop()
            loop.call_later(pause, self._ask, channel, question, done, again - 1)
        elif code == _TIMEOUT and channel is self._quick:
            self._ask(self._patient, question, done, again)
        elif code in _ABSENT:
            done(Absent(_ABSENT[code]), 0.0)
        else:
            done(Failed(str(pycares.errno.strerror(code))), 0.0)

    def forget(self) -> None:
        """Make c-ares drop the answers that it keeps; questions in flight go on.

        It keeps each answer for up to an hour, and a hostile answer takes half a megabyte. c-ares
        has no option against that, but it drops its answers when its servers change.
        """
        with suppress(Exception):  # the answers are only memory
            if not self._servers:
                self._servers = self._from_resolv_conf()
            if any("fe80:" in server for server in self._servers):
                return  # pycares 4 does not give the interface of a link-local address
            for channel in (self._quick, self._patient):
                channel.nameservers = [*self._servers, NOBODY]
                channel.nameservers = self._servers

    def _from_resolv_conf(self) -> Sequence[str]:
        """Return the name servers that c-ares read from resolv.conf.

        Raises LookupError, and ConfigError for a file that cannot be read.

        aiodns hides their ports, and pycares 4 does not have them; a line with a port has brackets.
        """
        if NEW:
            return list(self._quick._channel.servers)
        with reading(RESOLV_CONF) as file:
            if re.search(rb"^\s*nameserver\s+\[", file.read(), re.MULTILINE):
                raise LookupError
        return self._quick.nameservers


def _reply(kind: RecordType, answer: Any) -> tuple[Reply, float]:
    try:
        values, ttl = (_new if NEW else _old)(kind, answer)
        return answers.reply(kind, values, ttl)
    except Exception as wrong:  # a library may raise anything for a hostile answer
        return Failed(type(wrong).__name__), 0


# --- aiodns 4: every record of the answer, with its TTL -------------------------------------------

_FIELDS = {
    RecordType.A: "addr",
    RecordType.AAAA: "addr",
    RecordType.PTR: "dname",
    RecordType.TXT: "data",
    RecordType.MX: "exchange",
    RecordType.SOA: "minimum",
}


def _new(kind: RecordType, result: Any) -> tuple[Iterable[str | bytes], float]:
    wanted = _TYPES[kind]
    rows = [record for record in result.answer if record.type == wanted]
    if kind is RecordType.MX:
        rows.sort(key=lambda record: record.data.priority)
    # The TTL of an alias counts, too: it may point elsewhere before the record expires.
    ttl = min((record.ttl for record in result.answer), default=0)
    values = [getattr(record.data, _FIELDS[kind]) for record in rows]
    if kind is RecordType.SOA:
        return [str(min(minimum, ttl)) for minimum in values], ttl
    return values, ttl


# --- aiodns 3: results of a class for each record type, mostly without TTL ------------------------


def _old(kind: RecordType, result: Any) -> tuple[Iterable[str | bytes], float]:
    if kind is RecordType.SOA:
        return [str(result.minttl)], UNKNOWN_TTL
    if kind is RecordType.PTR:
        return result.aliases or [result.name], UNKNOWN_TTL
    if kind is RecordType.MX:
        ordered = sorted(result, key=lambda record: record.priority)
        return [record.host for record in ordered], UNKNOWN_TTL
    if kind is RecordType.TXT:
        return [record.text for record in result], UNKNOWN_TTL
    ttl = min((record.ttl for record in result), default=0)
    return [record.host for record in result], ttl
