"""The table protocol, sans I/O: bytes from smtpd in, calls of a table, bytes for smtpd out.

Every request gets exactly one legal answer, in the order of the requests: an exception, a late
answer or an illegal one becomes ``error|message`` and a line in the log. Source: ``table_proc.c``.
"""

from collections import deque
from contextlib import suppress
from functools import partial

from opensmtpd._counters.counts import OWN, count
from opensmtpd._protocol.dispatch import LATER, Dispatcher, Log
from opensmtpd._protocol.failures import own_text, place
from opensmtpd._protocol.table import requests
from opensmtpd._protocol.table.kept import NEVER, Asked, Kept, stamped
from opensmtpd._protocol.table.registration import check_services, overrides
from opensmtpd._protocol.table.requests import Request
from opensmtpd._protocol.table.wire import SAFE_SINCE, VERSION, RequestLines, encode_error, release
from opensmtpd.errors import HandlerTimeout, ProtocolError, VersionError
from opensmtpd.log import log, text
from opensmtpd.table import Service, Table, to_str
from opensmtpd.table.service import SERVICES

DEADLINE = 5.0
"""Seconds for an answer: smtpd asks no other table, for no other mail, until it has it."""
_ANSWERED = frozenset([b"lookup", b"check", b"fetch", b"update"])
BEGINNING = b"config|"
"""The first bytes that smtpd sends since 7.6."""
AUTH_SINCE = (7, 9)
"""Before, smtpd lower-cases the keys of ``auth``, passwords included (``table_lookup``)."""


class TableConnection:
    """One table talking to one smtpd. ``deadline`` is in seconds, of any monotonic clock.

    With ``debug`` the tracebacks of failures are logged. Raises LocalError for a table whose
    services are wrong.
    """

    def __init__(
        self,
        table: Table,
        *,
        deadline: float = DEADLINE,
        debug: bool = False,
        log: Log = log,
    ) -> None:
        check_services(table)
        # Any exception but one of our own kinds may quote rows or passwords.
        self.dispatcher = Dispatcher(deadline, log, self._serve, shows=own_text, debug=debug)
        self.ready = False
        self._table = table
        self._requests = requests.keyed(table)
        self._kept = Kept()
        self._stamped = frozenset(Service) - NEVER if overrides(table, "stamp") else frozenset()
        self._log = log
        self._lines = RequestLines()
        self._name = self._beginning = b""
        self._smtpd = (0, 0)
        self._waiting: deque[bytes] = deque()
        self.busy = False
        """True while an answer waits: for a coroutine, a function in a thread, or a worker."""
        self._out: list[bytes] = []

    # --- for the loop and the tests -----------------------------------------------------------

    def data_to_send(self) -> bytes:
        """Return the next bytes for smtpd; ``b""`` when none wait.

        Raises MemoryError, and then it is to be called again.
        """
        answers = b"".join(self._out)
        self._out = []
        return answers

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from smtpd. Raises VersionError, in the handshake only."""
        self.dispatcher.now = now
        if not self.ready:
            self._check_beginning(data)
        try:
            lines = self._lines.feed(data)
        except MemoryError as error:
            self._lost(data.rstrip(b"\n"), error)  # smtpd sends one request, and waits
            return
        if self._lines.dropped:
            self._log("line-ignored", reason="longer than any of smtpd's")
            self._lines.dropped = 0
        if len(lines) == 1 and not self.busy:  # smtpd asks and waits
            self._line(lines[0])
        else:
            self._waiting += lines
            self._serve()

    def _serve(self) -> None:
        """Take the requests in turn, each when the one before it is answered."""
        if len(self._waiting) > 1 and not self.busy:
            try:
                with self._table.snapshot():
                    self._drain()
            except BaseException as error:  # the table's own: all served have answers
                if isinstance(error, VersionError) and not self.ready:
                    raise
                self._log("snapshot-failed", error=type(error).__name__, at=place(error))
                self.dispatcher.log_traceback(error)
        self._drain()

    def _drain(self) -> None:
        while self._waiting and not self.busy:
            self._line(self._waiting.popleft())

    def _line(self, line: bytes) -> None:
        try:
            parts = line.split(b"|", 7)
            if len(parts) == 8 and parts[3] == self._name and self.ready:
                first, version, _, _, verb, label, id, key = parts
                request = self._requests.get((verb, label))
                # All requests but updates and fetches:
                if request is not None and version == VERSION and first == b"table":
                    if request.service in self._stamped:
                        self._ask(request, id, key)
                    else:
                        self._call(request, id, to_str(key))
                    return
            if line.startswith(b"config|") and not self.ready:
                self._config(line)
            elif line.startswith(b"table|") and self.ready:
                self._request(line)
            else:  # a part of a key with a line feed in it, before smtpd 7.9
                raise ProtocolError("not what is to come here")
        except VersionError:
            raise
        except ProtocolError as error:
            self._log("line-ignored", reason=error)
        except Exception as error:  # a bug of ours, or no memory
            self._lost(line, error)

    def _lost(self, line: bytes, error: Exception) -> None:
        """Answer a request that could not be taken with an error: all mail waits for an answer."""
        with suppress(Exception):
            self._log("internal-error", error=type(error).__name__, at=place(error))
            self.dispatcher.log_traceback(error)
        with suppress(Exception):
            request = line.split(b"|", 3)[-1].removeprefix(self._name + b"|")
            verb, *rest = request.split(b"|", 3)
            if verb in _ANSWERED and self.ready:
                id = rest[0 if verb == b"update" else 1]
                self._out.append(b"%s-result|%s|error\n" % (verb, id))

    def _check_beginning(self, data: bytes) -> None:
        """Raise VersionError where the first bytes from smtpd are not those of the text protocol.

        smtpd before 7.6 sends a ``struct imsg_hdr`` (``table_proc_open`` in ``table_proc.c``), asks
        for an answer of the same kind, and waits for it with all mail.
        """
        if len(self._beginning) < len(BEGINNING):
            self._beginning += data[: len(BEGINNING) - len(self._beginning)]
            if not BEGINNING.startswith(self._beginning):
                raise VersionError(
                    "smtpd speaks another table protocol; tables need smtpd 7.6 or later"
                )

    # --- the handshake ------------------------------------------------------------------------

    def _config(self, line: bytes) -> None:
        key, _, value = line[7:].partition(b"|")
        if key == b"protocol" and value != VERSION:
            raise VersionError(f"smtpd speaks table protocol {value!r:.20}, and we 0.1")
        if key == b"smtpd-version":
            self._smtpd = release(value) or self._smtpd
        elif key == b"tablename":
            self._name = self._lines.name = value
            self._table.smtpd_name = to_str(value)
        elif line == b"config|ready":
            names = [*self._services(), "ready"]
            self._out.append("".join(f"register|{name}\n" for name in names).encode("ascii"))
            self._lines.raw_keys = self._smtpd < SAFE_SINCE
            self.ready = True

    def _services(self) -> list[str]:
        services = [service for service in Service if service in self._table.services]
        if Service.AUTH in services and self._smtpd < AUTH_SINCE and not self._table.force_auth:
            services.remove(Service.AUTH)
            reason = "this smtpd lower-cases passwords; from 7.9 on it does not"
            self._log("auth-refused", table=self._name, reason=reason)
        if not services:
            raise VersionError("a table without a service that this smtpd can use")
        return [service.value for service in services]

    # --- requests -----------------------------------------------------------------------------

    def _request(self, line: bytes) -> None:
        """Take a request whose table has a bar in its name, or that is a rare one."""
        _, version, *more = line.split(b"|", 3)
        if version != VERSION or len(more) != 2:
            raise ProtocolError("another version than the handshake's")
        if not more[1].startswith(self._name + b"|"):
            raise ProtocolError("another table's")
        match more[1][len(self._name) + 1 :].split(b"|", 3):
            case [b"lookup" | b"check" as verb, label, id, key]:
                request = self._requests.get(
                    (verb, label),
                    Request(verb, None, requests.unknown_service, requests.encode_found),
                )
                self._call(request, id, to_str(key))
            case [b"fetch", label, id]:
                service = SERVICES.get(label)
                fetch = requests.unknown_service if service is None else self._table.fetch
                self._call(Request(b"fetch", service, fetch, requests.encode_value), id, service)
            case [b"update", id]:
                self._kept.forget()
                update = Request(
                    b"update", None, lambda _: self._table.update(), requests.encode_done
                )
                self._call(update, id, None)
            case _:
                raise ProtocolError("an unknown request")

    def _ask(self, request: Request, id: bytes, key: bytes) -> None:
        """Answer with what is kept, if the table's stamp says that it is current, or as ``_call``.

        Services of NEVER, and requests by ``_request``, do not come here.
        """
        asked = request, key
        kept = self._kept.find(asked)
        if kept is not None:
            stamp, text = kept
            try:
                now = self.dispatcher.call("stamp", self._table.stamp, request.service)
                same = now == stamp
            except BaseException as error:  # as in _call
                self._refuse(request, id, error)
                return
            if same:
                OWN.values[request.counted[text[0]]] += 1
                self._out.append(b"".join((request.head, id, b"|", text, b"\n")))
                return
        self._call(request, id, to_str(key), asked)

    def _call(
        self, request: Request, id: bytes, argument: object, asked: Asked | None = None
    ) -> None:
        """Call the table; answer with the result, now or when its job has ended.

        With ``asked``, an answer that is given now is kept, if it has a stamp.
        """
        try:
            if asked is None:
                stamp, result = None, self.dispatcher.call(request.name, request.call, argument)
            else:
                stamp, result = self.dispatcher.call(
                    request.name, stamped, self._table, request, argument
                )
            if not isinstance(result, LATER):
                text = request.encode(result)
                if asked is not None and stamp is not None:
                    self._kept.keep(asked, stamp, text)
                OWN.values[request.counted[text[0]]] += 1
                self._out.append(b"".join((request.head, id, b"|", text, b"\n")))
                return
        except BaseException as error:  # sys.exit() in a table must not end the mail server
            self._refuse(request, id, error)
            return

        def answer(result: object) -> None:
            self._answer(request, id, request.encode(result))

        self.busy = True  # a Deferred may have ended: then this starts and answers at once
        try:
            self.dispatcher.start(result, None, answer, partial(self._refuse, request, id))
        except BaseException:
            self.busy = False
            raise

    def _answer(self, request: Request, id: bytes, result: bytes) -> None:
        OWN.values[request.counted[result[0]]] += 1
        self._out.append(b"".join((request.head, id, b"|", result, b"\n")))
        self.busy = False

    def _refuse(self, request: Request, id: bytes, error: BaseException) -> None:
        if not isinstance(error, HandlerTimeout):  # which was counted when it was made
            count("opensmtpd_plugin_failures")
        kind = type(error).__name__
        reason = error if own_text(error) else None
        self._log(
            f"{request.name}-failed",
            table=self._name,
            service=request.service,
            error=kind,
            at=place(error) if reason is None else None,
            reason=reason,
        )
        self.dispatcher.log_traceback(error)
        self._answer(request, id, encode_error(text(kind if reason is None else reason)))
