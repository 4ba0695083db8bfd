"""Ask a table as smtpd does, and show each line of the exchange, without passwords."""

import os
import re
import secrets
import time
from collections.abc import Callable
from types import TracebackType

import click

from opensmtpd.errors import RemoteError
from opensmtpd.table import Service
from opensmtpd_cli import terminal
from opensmtpd_cli.plugin import table_keys, table_verdicts
from opensmtpd_cli.plugin.start import Account, Program
from opensmtpd_cli.plugin.table_secrets import Secrets, hashes_hidden
from opensmtpd_cli.plugin.table_verdicts import TableOutcome, TableVerdict
from opensmtpd_cli.plugin.talk import Talk
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.system.users import smtpd_user

Tell = Callable[..., None]
"""Says a line: its text, and a style of ``click.style``."""

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


class Exchange:
    """A running table and an smtpd of some version. Use it in ``with``, which ends the table."""

    def __init__(
        self, line: TableLine, program: str, *, version: str, timeout: float, tell: Tell
    ) -> None:
        """Start the program. Raises OSError."""
        self._tell = tell
        self.registered: set[Service] = set()
        self.timeout = timeout
        self._name = line.name
        self._version = version
        self._smtpd = version_of(version)
        self._secrets = Secrets()
        self._held: list[bytes] = []
        self._started = self._sent = self._received = time.perf_counter()
        user = smtpd_user()
        who = f", as user {user.pw_name}" if user else ""
        self._remark(f"{program} {line.path or ''}".rstrip() + who)
        argv = [line.name, *([line.path] if line.path else [])]
        account = None
        if user:
            groups = os.getgrouplist(user.pw_name, user.pw_gid)
            account = Account(user.pw_uid, user.pw_gid, groups)
        self._talk = Talk(Program(program, argv, account), timeout=timeout, log=self._log)

    def __enter__(self) -> "Exchange":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> int | None:
        """End the program, and return its status (``Talk.end``)."""
        status = self._talk.end()
        self._show_held()
        return status

    def hello(self) -> None:
        """Shake hands. Raises RemoteError where smtpd dies, EOFError, TimeoutError."""
        about = (
            f"smtpd-version|{self._version}",
            "protocol|0.1",
            f"tablename|{self._name}",
            "ready",
        )
        for text in about:
            self._send(f"config|{text}")
        while (service := table_verdicts.registration(self._receive())) is not None:
            self.registered.add(service)
        if not self.registered:
            raise RemoteError("table-proc: no services registered")
        self._remark(f"ready after {duration(self._received - self._started)}")

    def ask(self, verb: str, service: Service, key: str | None = None) -> TableVerdict:
        """Ask once. Raises EOFError, TimeoutError."""
        try:
            sent = None if key is None else table_keys.asked(service, key, self._smtpd)
        except ValueError as error:
            return table_verdicts.failed(service, f"smtpd does not ask: {error}")
        if service is Service.AUTH and Service.AUTH not in self.registered:
            effect = "it looks up credentials instead, and checks the hash itself"
            return TableVerdict(TableOutcome.ERROR, "the table did not register auth", effect)
        self._remark_on(service)
        id = secrets.token_hex(4)
        self._request(f"{verb}|{service}|{id}", service, sent)
        line = self._receive()
        self._remark(f"answered after {duration(self._received - self._sent)}")
        if self._talk.more():
            self._receive()
            return table_verdicts.fatal(
                "more than one answer; to the next request, it is a wrong one"
            )
        six = self._smtpd >= (7, 9)
        verdict = table_verdicts.answer(verb, service, id, line, key=sent or "", six=six)
        hide = self._secrets.value if verdict.outcome is TableOutcome.FOUND else self._secrets.text
        return verdict._replace(value=hide(verdict.value), effect=hashes_hidden(verdict.effect))

    def _log(self, line: bytes) -> None:
        """Show a line that the table wrote to stderr, when it is known what is secret in it."""
        self._held.append(line)
        if not self._secrets.unanswered:
            self._show_held()

    def _show_held(self) -> None:
        for line in self._held:
            click.echo(f"! {self._secrets.text(terminal.shown(line))}", err=True)
        self._held.clear()

    def _remark(self, text: str) -> None:
        """Say something about the exchange."""
        self._tell(f"# {text}", dim=True)

    def _remark_on(self, service: Service) -> None:
        if service not in self.registered:
            self._remark(f"the table did not register {service}; smtpd asks all the same")
        elif service is Service.CREDENTIALS and Service.AUTH in self.registered:
            self._remark("the table registered auth, which smtpd checks for logins instead of this")

    def _request(self, what: str, service: Service, key: str | None) -> None:
        line = f"table|0.1|{time.time():.6f}|{self._name}|{what}"
        visible = self._secrets.asked(service, key)
        if key is None:
            self._send(line)
        else:
            self._send(f"{line}|{key}", f"{line}|{visible}")

    def _send(self, line: str, visible: str | None = None) -> None:
        self._tell("< " + terminal.shown(line if visible is None else visible))
        self._sent = time.perf_counter()
        self._talk.send(line.encode("utf-8", "surrogateescape") + b"\n")

    def _receive(self) -> bytes:
        line = self._talk.line()
        self._received = time.perf_counter()
        self._tell("> " + self._secrets.line(terminal.shown(line)))
        self._show_held()
        return line


def version_of(text: str) -> tuple[int, ...]:
    """Return major and minor number of a version of smtpd. Raises click.BadParameter."""
    found = _VERSION.match(text)
    if not found:
        raise click.BadParameter(f"{text!r} is no version of smtpd", param_hint="--smtpd-version")
    return int(found[1]), int(found[2])


def duration(seconds: float) -> str:
    """Return a time as text, in µs, ms or s."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
