"""A model of smtpd, sans I/O: its reports and requests, and the effects of the answers."""

from opensmtpd.testing.model.answers import FilterLine
from opensmtpd.testing.model.client import SmtpClient
from opensmtpd.testing.model.dialogue import Dialogue
from opensmtpd.testing.model.fatal import Fatal
from opensmtpd.testing.model.judge import AskedRequest, Judge
from opensmtpd.testing.model.registry import PHASES, release

_EPOCH = 1795335705
"""When the model's clock starts, in seconds; each line takes a microsecond."""


class Smtpd:
    """One smtpd with one filter process. Bytes only: nothing is opened, nothing waits.

    ``version`` is ``"6.8.0"``, ``"7.6.0"`` or ``"7.9.0"``; ``places`` how often the process stands
    in the listener's chain (two ``filter`` names may share a process). A token is the id of a place
    in the chain of one phase: the same for all sessions.

    Feed ``data_to_send()`` to the filter, and its bytes to ``receive()``, which raises Fatal
    where smtpd would die. See ``judge.py`` for where the model is stricter than smtpd.
    """

    def __init__(self, version: str = "7.6.0", *, places: int = 1) -> None:
        self.release = release(version)
        self.answers: list[FilterLine] = []
        """Every decision the filter made, in order; lines of messages are not kept here."""
        self.clients: list[SmtpClient] = []
        """All clients, those that are gone too."""
        self._judge = Judge(self.release, self._heard)
        self._places = places
        self._out: list[bytes] = []
        self._live: dict[bytes, SmtpClient] = {}
        self._ticks = self._numbers = 0
        self._handshake()

    def _handshake(self) -> None:  # lka_proc_config
        lines = [f"smtpd-version|{self.release.smtpd_version}"]
        if self.release.names_protocol:
            lines.append(f"protocol|{self.release.protocol}")
        lines += ["smtp-session-timeout|300", "subsystem|smtp-in", "admd|example.com", "ready"]
        self._out += [f"config|{line}\n".encode("ascii") for line in lines]

    # --- the filter's side ----------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """True when the filter has ended its registration."""
        return self._judge.registry.ready

    @property
    def events(self) -> frozenset[str]:
        """The reports that the filter registered for."""
        return frozenset(self._judge.registry.events)

    @property
    def phases(self) -> frozenset[str]:
        """The phases that the filter registered for."""
        return frozenset(self._judge.registry.phases)

    @property
    def ignored(self) -> int:
        """The number of answers for sessions that were gone, or never there."""
        return self._judge.ignored

    def data_to_send(self) -> bytes:
        """Return the bytes that smtpd has written since the last call."""
        out, self._out = self._out, []
        return b"".join(out)

    def receive(self, data: bytes) -> None:
        """Take bytes of the filter, in any chunking. Raises Fatal."""
        self._judge.receive(data)

    def exited(self) -> None:
        """Raise Fatal: the filter's process ended, and with any status smtpd ends, too."""
        raise Fatal("lost processor")

    def hung(self) -> list[AskedRequest]:
        """Return the requests without an answer: a real session would wait without end."""
        return self._judge.waiting()

    def token(self, phase: str, place: int = 0) -> bytes:
        """Return the token of a place in the chain of a phase."""
        return b"%016x" % (0x1F08300D56622F00 + (PHASES.index(phase) << 8) + place)

    # --- the clients' side ----------------------------------------------------------------------

    def connect(
        self,
        *,
        rdns: bytes = b"client.example",
        fcrdns: str = "pass",
        source: bytes = b"192.0.2.5:40721",
        destination: bytes = b"192.0.2.1:25",
    ) -> SmtpClient:
        """Let a client connect; the arguments are the fields of ``link-connect``."""
        if not self.ready:
            raise RuntimeError("smtpd takes no clients before the filter is ready")
        session = self.number(16).encode("ascii")
        address = source.rpartition(b":")[0]
        client = SmtpClient(self, session, rdns, b"local" if address == b"unix" else address)
        self.clients.append(client)
        self._live[session] = client
        self._judge.begin(session)
        client.report("link-connect", rdns, fcrdns, source, destination)
        client.connect()
        return client

    # --- for the sessions (dialogue.SessionServer) ----------------------------------------------

    def report(self, session: bytes, event: str, *fields: bytes | str) -> None:
        """Report an event, where the filter registered for it. (``report_smtp_broadcast``)"""
        if self._judge.registry.hears(event):
            self._write("report", event, session, *fields)

    def ask(self, session: Dialogue, phase: str, argument: bytes) -> None:
        """Ask the first filter about a command. (``filter_protocol``)"""
        self._judge.entered(session.id, phase)
        self._ask_place(self._live[session.id], phase, argument, 0)

    def ask_line(self, session: Dialogue, line: bytes) -> None:
        """Send a line of a message to the first filter. (``filter_data``)"""
        self._judge.entered(session.id, "data-line")
        self._line_place(self._live[session.id], line, 0)

    def forget(self, session: Dialogue) -> None:
        """The session is over. (``lka_filter_end``)"""
        del self._live[session.id]
        self._judge.end(session.id)

    def number(self, digits: int) -> str:
        """Return a hexadecimal number that was not used before."""
        self._numbers += 1
        return f"{self._numbers * 0x9E3779B97F4A7C15 % 16**digits:0{digits}x}"

    # --- the chain ------------------------------------------------------------------------------

    def _ask_place(self, client: SmtpClient, phase: str, argument: bytes, place: int) -> None:
        if place >= self._places or not self._judge.registry.asked(phase):
            client.answered("proceed", b"")
            return
        token = self.token(phase, place)
        self._judge.asked(AskedRequest(client.id, phase, token))
        fields = [argument]
        if phase in ("mail-from", "rcpt-to"):
            fields = [argument[1 : argument.index(b">")]]
        elif phase == "connect":
            fields = [client.rdns, client.address]
        self._write("filter", phase, client.id, token, *fields)

    def _line_place(self, client: SmtpClient, line: bytes, place: int) -> None:
        if place >= self._places or not self._judge.registry.asked("data-line"):
            client.filtered(line)
            return
        token = self.token("data-line", place)
        self._judge.sent_line(client.id, token, line)
        self._write("filter", "data-line", client.id, token, line)

    def _heard(self, answer: FilterLine) -> None:
        client = self._live[answer.session]
        place = int(answer.token, 16) & 0xFF
        if answer.phase == "data-line":
            self._line_place(client, answer.text, place + 1)
            return
        self.answers.append(answer)
        if answer.text == b"proceed":  # filter_protocol_next
            self._ask_place(client, answer.phase, client.argument, place + 1)
        else:
            client.answered(answer.decision, answer.parameter)

    def _write(self, kind: str, event: str, session: bytes, *fields: bytes | str) -> None:
        self._ticks += 1
        seconds, micros = divmod(self._ticks, 1_000_000)
        head = f"{kind}|{self.release.protocol}|{_EPOCH + seconds}.{micros:06}|smtp-in|{event}"
        parts = [field.encode("ascii") if isinstance(field, str) else field for field in fields]
        self._out.append(b"|".join([head.encode("ascii"), session, *parts]) + b"\n")
