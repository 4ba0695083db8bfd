"""The resolver of a filter: it remembers replies, shares questions and keeps deadlines.

It asks a process of its own, the only one that talks to name servers. See ``process``.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from opensmtpd import answer
from opensmtpd._counters.counts import count
from opensmtpd.answer import Deferred
from opensmtpd.dns.names import is_wire_name
from opensmtpd.dns.question import Question, RecordType, Reply
from opensmtpd.dns.resolver import inflight
from opensmtpd.dns.resolver.cache import Cache
from opensmtpd.dns.resolver.heartbeat import Heartbeat
from opensmtpd.dns.resolver.inflight import InFlightQuestions
from opensmtpd.dns.resolver.orders import KEPT, REREAD, SAVE
from opensmtpd.dns.resolver.replies import unpacked
from opensmtpd.dns.resolver.waits import Wait, Waits
from opensmtpd.dns.servers import PATIENCE, ServerAddress
from opensmtpd.errors import LocalError
from opensmtpd.log import log
from opensmtpd.worker import Pool
from opensmtpd.worker.open_request import Settlement

if TYPE_CHECKING:
    from opensmtpd.dns.resolver.shared import SharedReplies

WORKER = "opensmtpd.dns.resolver.process.worker:ResolverWorker"
LATE = 40.0
"""Seconds until a question has failed: the process gives it up before, see ``name_servers``."""
OTHERS = 16
"""Requests to the process at a time that are no questions, at most."""
SAVE_WITHIN = 2.0
"""Seconds for the cache file to be written, when the filter ends."""


class Resolver:
    """Replies that are remembered, or come from the resolver's process.

    It is an ``answer.Source``: the loop of the filter waits for its process. A filter needs one.
    """

    def __init__(
        self,
        servers: Sequence[ServerAddress] = (),
        cache_path: str | None = None,
        patience: float = PATIENCE,
        shared: "SharedReplies | None" = None,
    ) -> None:
        """Ask ``servers``; an empty sequence stands for those of resolv.conf.

        The replies in the file at ``cache_path`` are remembered; see ``save``. ``patience`` is the
        least number of seconds after which a timeout is the name server's failure. What is not
        remembered is looked for in ``shared`` first, and the replies of name servers are kept
        there. Raises ConfigError where aiodns is missing, or cannot ask ``servers``.
        """
        self._cache = Cache()
        self._shared = shared
        self._waits = Waits(self._give_up)
        most = inflight.IN_FLIGHT + OTHERS
        setup = [[list(server) for server in servers], cache_path]
        self._pool = Pool(WORKER, setup, deadline=LATE, queue=most, window=most)
        self._heartbeat = Heartbeat(self._pool)
        self._questions = InFlightQuestions(
            self._pool, self._remember, self._waits.end, patience, shared
        )
        self._saves = cache_path is not None
        # Deadlines and waits are ours: the loop asks for the pool's through this object.
        answer.unregister(self._pool)
        answer.register(self)
        if self._saves:
            self._fetch(0)

    # --- Dns ------------------------------------------------------------------------------------

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        """Return all replies if all of them are remembered, else None."""
        now = time.monotonic()
        replies = []
        for question in questions:
            reply = self._cache.get(question, now)
            if reply is None:
                return None
            replies.append(reply)
        count("opensmtpd_plugin_dns_questions", "hit", by=len(replies))
        return replies

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        """Return a Deferred for all replies, in order, by ``until``.

        After that time, nobody is asked: a lookup whose first name server is dead costs its time
        once, and does not go on to ask for what its later steps want.
        """
        wait = Wait(questions, until)
        wait.deferred.on_cancel(partial(self._drop, wait))
        now = time.monotonic()
        for question in list(wait.missing):
            reply = self._cache.get(question, now)
            count("opensmtpd_plugin_dns_questions", "miss" if reply is None else "hit")
            if reply is None and now >= until:
                reply = self._questions.late(question)
            elif reply is None:
                reply = self._questions.join(question, wait)
            if reply is not None:
                wait.take(question, reply)
        if wait.missing:
            self._waits.add(wait)
            self._questions.give()
        else:
            wait.settle()
        return wait.deferred

    def start(self, questions: Sequence[Question]) -> None:
        """Begin to ask what is not known; where there is no room for it, somebody asks later."""
        now = time.monotonic()
        for question in questions:
            if self._cache.get(question, now) is None:
                self._questions.start(question)
        self._questions.give()

    def reread_servers(self) -> None:
        """Read resolv.conf again with the next question."""
        self._pool.ask([REREAD])

    def save(self) -> None:
        """Write the cache file, if there is one and there are changes."""
        if not self._saves:
            return
        try:
            self._pool.request([SAVE], SAVE_WITHIN)
        except LocalError as error:
            log("dns-cache-not-written", reason=error)

    def close(self) -> None:
        """End the resolver's process."""
        answer.unregister(self)
        self._pool.close()
        if self._shared is not None:
            self._shared.close()

    # --- waits ----------------------------------------------------------------------------------

    def _drop(self, wait: Wait) -> None:
        """Forget a wait: its client is gone."""
        self._waits.drop(wait)
        for question in wait.missing:
            self._questions.leave(question, wait)

    def _give_up(self, wait: Wait) -> None:
        """Take failures for what has not come in time."""
        for question in list(wait.missing):
            wait.take(question, self._questions.leave(question, wait))

    # --- remembering replies ----------------------------------------------------------------------

    def _remember(self, question: Question, reply: Reply, ttl: float, asked: bool) -> None:
        now = time.monotonic()
        if asked:  # else it is another machine's, and says nothing of the process
            count("opensmtpd_plugin_dns_replies", type(reply).__name__.lower())
            self._heartbeat.seen(now)
        self._cache.put(question, reply, ttl, now)

    def _fetch(self, number: int) -> None:
        """Have the process hand over what the cache file has, part by part."""
        self._pool.ask([KEPT, number]).on_end(partial(self._take_kept, number))

    def _take_kept(self, number: int, rows: object, error: BaseException | None) -> None:
        if error is not None or not isinstance(rows, list) or not rows:
            return  # it has them, and is asked
        now = time.monotonic()
        with suppress(ValueError, TypeError):
            for name, kind, *row in rows:
                question = Question(name, RecordType(kind))
                if not is_wire_name(name):
                    raise ValueError
                reply, ttl = unpacked(question, row, now)
                if self._cache.get(question, now) is None:
                    self._cache.put(question, reply, ttl, now)
            self._fetch(number + 1)

    # --- Source ---------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor of the pool."""
        return self._pool.fileno()

    def receive(self) -> Iterator[Settlement]:
        """Take what has come from the process."""
        yield from self._pool.receive()
        yield from self._waits.ended()

    def expire(self, now: float) -> Iterator[Settlement]:
        """End waits whose time is over, and do what is due for the process."""
        due = self._pool.next_deadline()
        if due is not None and due <= now:
            yield from self._pool.expire(now)
        yield from self._heartbeat.beat(now, len(self._questions) > 0)
        self._waits.expire(now)
        yield from self._waits.ended()

    def next_deadline(self) -> float | None:
        """Return the time when ``expire`` is to be called."""
        times = (
            self._waits.next_deadline(),
            self._pool.next_deadline(),
            self._heartbeat.next_deadline(len(self._questions) > 0),
        )
        return min((each for each in times if each is not None), default=None)

    def flush(self) -> None:
        """Send what was asked in this turn of the loop."""
        self._pool.flush()
