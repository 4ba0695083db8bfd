"""smtpd as a table sees it: its requests, and the answers that it dies of.

Source: ``table_proc.c`` and ``table_lookup`` in ``table.c`` of OpenSMTPD 7.6 and 7.9.

The model is stricter than smtpd where smtpd is merely lucky:

- an answer that nobody asked for is fatal at once (smtpd takes it for the answer to its next
  request, and dies of the wrong id);
- ``found`` and ``error`` are whole words (smtpd looks at their first letters only);
- several requests may be sent before the first answer, which smtpd never does; they are to be
  answered in their order.
"""

import re
from collections import deque
from typing import NamedTuple

from opensmtpd.testing.model.fatal import Fatal

SERVICES = frozenset([
    "alias", "domain", "credentials", "netaddr", "userinfo", "source", "mailaddr", "addrname",
    "mailaddrmap", "relayhost", "string", "regex", "auth",
])  # fmt: skip
"""``table_service_from_name``."""
KEY_MAX = 1023
"""Bytes of a key: longer ones are not asked for (``lowercase`` in ``util.c``)."""
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_EPOCH = 1795335705
_VERBS = {
    "update": ("id",),
    "fetch": ("service", "id"),
    "check": ("service", "id", "key"),
    "lookup": ("service", "id", "key"),
}
"""Requests and their fields (``table_proc_send``)."""


class TableReply(NamedTuple):
    """An answer of a table. Bytes that are no UTF-8 are surrogate escapes, as in keys."""

    result: str
    """``"found"``, ``"not-found"``, ``"error"``, and for an update ``"ok"``."""
    value: str = ""
    """The value behind ``found``, the text behind ``error``."""


class TableRequest(NamedTuple):
    """A request to a table."""

    verb: str
    """``"lookup"``, ``"check"``, ``"fetch"`` or ``"update"``."""
    service: str
    key: str
    id: str


class TableSmtpd:
    """A model of smtpd with one table.

    ``ask`` and then carry bytes both ways; ``answers`` are in the order of the requests. Example::

        smtpd = TableSmtpd("7.6.0", "aliases")
        driver = Driver(TableConnection(MyTable()), smtpd.receive)
        driver.feed(smtpd.data_to_send())
        smtpd.ask("lookup", "alias", "alice")
        driver.feed(smtpd.data_to_send())
        assert smtpd.answers == [TableReply("found", "alice@example.org")]
    """

    def __init__(self, version: str = "7.9.0", name: str = "aliases") -> None:
        numbers = re.match(r"([0-9]+)\.([0-9]+)", version)
        if numbers is None:
            raise ValueError(f"{version!r} is no version of smtpd")
        self.version = int(numbers[1]), int(numbers[2])
        self.name = name
        self.services: set[str] = set()
        """The services that the table registered for."""
        self.ready = False
        self.answers: list[TableReply] = []
        self.waiting: deque[TableRequest] = deque()
        """Requests without an answer: smtpd waits for each without end, and all mail too."""
        self._rest = b""
        self._count = 0
        hello = (f"smtpd-version|{version}", "protocol|0.1", f"tablename|{name}", "ready")
        self._out = "".join(f"config|{line}\n" for line in hello)

    # --- smtpd's requests -----------------------------------------------------------------------

    def ask(self, verb: str, service: str = "", key: str = "") -> None:
        """Send a request. Raises ValueError for one that smtpd would not send.

        Before 7.9 it sends a key with a line feed in it as it is, and so do we: as two lines.
        """
        if verb not in _VERBS:
            raise ValueError(f"smtpd knows no {verb}")
        if not self.ready or (service not in self.services and verb != "update"):
            raise ValueError(f"smtpd does not ask this table for {service or verb}")
        if self.version < (7, 9) or service != "auth":
            key = key.translate(_LOWER)
        unsent = "\0" if self.version < (7, 9) else "\0\r\n"
        if len(key.encode("utf-8", "surrogateescape")) > KEY_MAX or set(key) & set(unsent):
            raise ValueError("smtpd does not ask for such a key")
        self._count += 1
        request = TableRequest(verb, service, key, f"{self._count * 0x9E3779B1 % 2**32:08x}")
        fields = [getattr(request, name) for name in _VERBS[verb]]
        time = f"{_EPOCH}.{self._count:06}"
        self._out += "|".join(["table", "0.1", time, self.name, verb, *fields]) + "\n"
        self.waiting.append(request)

    def data_to_send(self) -> bytes:
        """Return the bytes for the table; ``b""`` when there are none."""
        out, self._out = self._out, ""
        return out.encode("utf-8", "surrogateescape")

    # --- the table's answers --------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes as the table wrote them, in any chunking. Raises Fatal."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            text = line.partition(b"\0")[0]  # to smtpd it is a C string
            if self.ready:
                self._answer(text, line)
            else:
                self._register(text, line)

    def _register(self, text: bytes, line: bytes) -> None:  # table_proc_open
        kind, bar, name = text.decode("utf-8", "surrogateescape").partition("|")
        if kind != "register" or not bar:
            raise Fatal("invalid handshake reply", line)
        if name == "ready":
            if not self.services:
                raise Fatal("no services registered", line)
            self.ready = True
        elif name in SERVICES:
            self.services.add(name)
        else:
            raise Fatal("unknown service", line)

    def _answer(self, text: bytes, line: bytes) -> None:  # table_proc_recv and its callers
        if not self.waiting:
            raise Fatal("an answer to nothing: the next request gets a wrong id", line)
        request = self.waiting[0]
        head = f"{request.verb}-result|{request.id}|"
        answer = text.decode("utf-8", "surrogateescape")
        if not answer.startswith(head):
            raise Fatal("failed to parse reply", line)
        result, bar, value = answer.removeprefix(head).partition("|")
        found = result == "found" and request.verb in ("lookup", "fetch")
        if found and bar and not value:
            raise Fatal("empty response", line)
        alone = {"update": ("ok",), "check": ("found", "not-found")}
        legal = found if bar else result in alone.get(request.verb, ("not-found",))
        if not legal and result != "error":
            raise Fatal("failed to parse reply", line)
        self.waiting.popleft()
        self.answers.append(TableReply(result, value))
