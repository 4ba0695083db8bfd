"""One message on its way to rspamd: read from where it is held, part by part, until the verdict.

One part is on its way at a time, so that no more of a message than this is kept besides. A large
message is uploaded while it arrives. Where rspamd or the worker fails meanwhile, it begins anew
when it is complete. So does an upload that began early and fails later: rspamd waits a minute for
a slow client, and closes the connection then. Where a complete message fails, the next server is
asked, if there is one.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from opensmtpd.answer import Deferred
from opensmtpd.errors import LocalError, ServerLate, Unavailable, WorkerError
from opensmtpd.filter import MessageReader
from opensmtpd.mail.rspamd.request import RequestFields
from opensmtpd.mail.rspamd.servers import RspamdServers
from opensmtpd.mail.rspamd.url import Url
from opensmtpd.mail.rspamd.verdict import RspamdVerdict
from opensmtpd.mail.rspamd.worker_orders import PING, SEND, STOP
from opensmtpd.worker import Pool

WORKER = "opensmtpd.mail.rspamd.worker:RspamdWorker"
PART = 128 << 10
"""Bytes of a part of a message, about: with less than this, a message waits for its end."""
PARTS_MAX = 64 << 20
"""Bytes of all parts on their way, at most."""
GRACE = 2.0
"""Seconds behind a time limit of the worker's, after which the worker itself is late."""
MESSAGES_MAX = 20_000
"""Messages that the worker has at a time, at most; none waits here, for its time goes on."""
EARLY_MAX = 100
"""Messages that are uploaded while they arrive, at most: each has a connection for as long as its
client likes."""
RESTARTS = 3
"""Times that a message is uploaded anew because the worker was replaced."""
_SERVER_FAULTS = ("ServerLost", "ServerLate", "ServerRefused")
PING_WITHIN = 4.0
"""Seconds that ``-n`` waits for all servers."""


class Scanner:
    """The worker and the servers that all messages of a filter share."""

    def __init__(self, urls: Sequence[Url], timeout: float) -> None:
        """``timeout`` is in seconds, from a message's end to its verdict. Raises ConfigError."""
        self.timeout = timeout
        self.servers = RspamdServers([each.shown for each in urls])
        self.pool = Pool(
            WORKER,
            [list(each) for each in urls],
            deadline=timeout + GRACE,
            queue=MESSAGES_MAX,
            window=MESSAGES_MAX,
        )
        self.on_their_way = 0
        """Bytes of parts that are not answered."""
        self.early = 0
        """Messages that are uploaded while they arrive."""
        self._number = 0

    def number(self) -> int:
        """Return a number for a new upload."""
        self._number += 1
        return self._number

    def unreachable(self) -> list[str]:
        """Return what is wrong with each server that does not answer now; waits for all."""
        seconds = PING_WITHIN / len(self.servers)
        found = []
        for index in range(len(self.servers)):
            try:
                self.pool.request([PING, index, seconds])
            except Unavailable as error:
                found.append(f"{self.servers.name(index)}: {error}")
        return found


class Scan:
    """One message; ``end`` returns its verdict."""

    def __init__(
        self, scanner: Scanner, reader: Callable[[], MessageReader], fields: RequestFields
    ) -> None:
        """``reader`` returns a reader that stands before the first line of the message."""
        self._scanner, self._reader_of, self._fields = scanner, reader, fields
        self._reader = reader()
        self._verdict: Deferred[RspamdVerdict | LocalError] = Deferred()
        self._upload = 0
        """The number of the upload that has begun, 0 for none."""
        self._asked = False
        """True while a part is on its way."""
        self._early = False
        """True while it is one of those that are uploaded while they arrive."""
        self._gives_up_early = False
        """True where an upload has failed before the message was complete."""
        self._began_early = False
        """True where the upload has begun before the message was complete."""
        self._began = 0.0
        """The time when the server was asked."""
        self._complete = False
        self._ended = False
        self._until = self._share_until = 0.0
        """The times when the verdict must be there, and when the next server is asked for it."""
        self._server = -1
        """The index of the server that was asked last, -1 for none."""
        self._tried: set[int] = set()
        self._restarts = 0

    @property
    def server(self) -> str:
        """The URL that was asked last."""
        return "" if self._server < 0 else self._scanner.servers.name(self._server)

    def more(self) -> None:
        """Take note that lines have come: much is uploaded now."""
        if self._asked or self._gives_up_early or self._ended:
            return
        if self._reader.left < PART:
            return
        if not self._early:
            if self._scanner.early >= EARLY_MAX:
                return
            self._early = True
            self._scanner.early += 1
        self._go_on()

    def end(self) -> Deferred[RspamdVerdict | LocalError]:
        """Take note that the message is complete; return its verdict, or why there is none."""
        self._complete = True
        self._leave_early()
        self._until = time.monotonic() + self._scanner.timeout
        self._begin_share()
        self._verdict.on_cancel(self.stop)
        if not (self._asked or self._ended):
            self._go_on()
        return self._verdict

    def stop(self) -> None:
        """Give the message up: nobody waits for its verdict any more."""
        if not self._ended:
            self._ended = True
            self._leave_early()
            self._forget_upload()

    def _finish(self, outcome: RspamdVerdict | LocalError) -> None:
        if not self._ended:
            self._ended = True
            self._leave_early()
            self._verdict.settle(outcome)

    def _leave_early(self) -> None:
        """Be no more one of those that are uploaded while they arrive."""
        self._scanner.early -= self._early
        self._early = False

    def _forget_upload(self) -> None:
        if self._upload:
            self._scanner.pool.ask([STOP, self._upload])
            self._upload = 0

    # --- the parts --------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Send the next part: at the beginning, to the best server."""
        try:
            self._send()
        except LocalError as error:  # of the spool, say
            self._forget_upload()
            self._finish(error)

    def _send(self) -> None:
        scanner, head, now = self._scanner, None, time.monotonic()
        if not self._upload:
            if self._complete and now >= self._until:
                self._finish(ServerLate("no time is left to ask another server"))
                return
            self._server = scanner.servers.best(self._tried)
            self._began, self._began_early = now, not self._complete
            self._begin_share()
            head = [self._server, self._fields]
        share = scanner.timeout / len(scanner.servers)
        until = self._share_until if self._complete else now + share
        if now >= until:
            self._forget_upload()
            self._failed(WorkerError("it does not answer in time", "ServerLate"))
            return
        if scanner.on_their_way >= PARTS_MAX:
            if self._complete:
                self._forget_upload()
                self._finish(Unavailable("too many messages are being scanned"))
            return
        self._upload = self._upload or scanner.number()
        part = self._reader.read(PART)
        last = self._complete and not self._reader.left
        self._asked = True
        scanner.on_their_way += len(part)
        asked = scanner.pool.ask([SEND, self._upload, head, part, last, until])
        size = len(part)

        def answered(reply: Any, error: BaseException | None) -> None:
            scanner.on_their_way -= size
            self._asked = False
            if not self._ended:
                self._answered(reply, error, last=last)

        asked.on_end(answered)

    def _begin_share(self) -> None:
        """Give this server an equal share of the time that is left for all."""
        now = time.monotonic()
        others = len(self._scanner.servers) - len(self._tried)
        self._share_until = now + (self._until - now) / max(1, others)

    def _answered(self, reply: Any, error: BaseException | None, *, last: bool) -> None:
        if error is not None:
            self._failed(error)
        elif last:
            self._upload = 0
            self._scanner.servers.answered(self._server)
            self._finish(RspamdVerdict(*reply))
        else:
            self._go_on_with_more()

    def _go_on_with_more(self) -> None:
        """Send the next part when there is enough for one, or no more will come."""
        try:
            enough = self._complete or self._reader.left >= PART
        except LocalError:  # the engine has refused the message meanwhile
            self.stop()
            return
        if enough:
            self._go_on()

    def _failed(self, error: BaseException) -> None:
        """Begin anew, with the next server if this one is at fault; or say why not."""
        kind = getattr(error, "kind", "")
        if not kind:  # the worker was not asked, and has what came before
            self._forget_upload()
        self._upload, self._reader = 0, self._reader_of()
        if kind == "UnknownUpload" and self._restarts < RESTARTS:
            self._restarts += 1
            self._go_on()
            return
        if not self._complete:
            self._gives_up_early = True
            self._leave_early()
            return
        if kind not in _SERVER_FAULTS:
            self._finish(error if isinstance(error, LocalError) else Unavailable(str(error)))
            return
        if self._began_early and kind != "ServerLate":  # the client may have been too slow for it
            self._go_on()
            return
        if kind != "ServerRefused":  # it is well, and does not like this message
            self._scanner.servers.failed(self._server, error, self._began)
        self._tried.add(self._server)
        if len(self._tried) == len(self._scanner.servers):
            self._finish(Unavailable(str(error)))
        else:
            self._go_on()
