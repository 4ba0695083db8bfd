"""The table of all backends that are asked over a network."""

import argparse
import time
from collections.abc import Callable, Hashable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from opensmtpd.answer import Deferred
from opensmtpd.backends.network import names
from opensmtpd.backends.network.backend import Backend
from opensmtpd.backends.network.connection import Asker, Fault, Reconnecting, ServerReply
from opensmtpd.backends.network.lists import WITH_PATTERNS, Lists
from opensmtpd.backends.network.server import TimedServer
from opensmtpd.backends.network.stale import NEVER, Stale
from opensmtpd.errors import ConfigError, LocalError, ServerLate, ServerLost
from opensmtpd.log import log
from opensmtpd.needs import Needs, no_sandbox, sandboxed
from opensmtpd.table import VALUE_MAX, Patterns, Service, Table, TableAnswer

if TYPE_CHECKING:
    from opensmtpd.worker import Pool

T = TypeVar("T")

CHECK_SECONDS = 4.0
"""For lists at start and at an update."""
DRY_SECONDS = 3.0
"""For all that it is asked by ``-n``: ``opensmtpd-plugins check`` waits 5 for the whole program."""


class NetworkTable(Table):
    """Asks the server for each key. It starts without the server, and outlives it."""

    def __init__(
        self,
        read: Callable[[str], Backend],
        flags: argparse.Namespace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``read`` reads a configuration file. Raises ConfigError.

        What the server says against the configuration is an error with ``-n``, and logged else.
        """
        self._clock = clock
        self.path: str = flags.path
        self._name = ""
        self._read = read
        self._pool: Pool | None = None
        backend = read(self.path)
        if not backend.settings.sandbox:
            no_sandbox()
        self.services = backend.services
        self.force_auth = backend.settings.force_auth
        self.needs = Needs(reads=(self.path, *backend.reads))
        if backend.worker is None:
            self.needs |= backend.needs
            if backend.needs.network:
                names.prepare()
                self.needs |= names.NEEDS
        self._use(backend, self._server_of(backend))
        self._reached = backend.needs
        """The needs of the connection at the start: the sandbox lets it reach no more."""
        if flags.check:
            self._check_now()

    @property
    def smtpd_name(self) -> str:
        """Return the name of the table in smtpd.conf."""
        return self._name

    @smtpd_name.setter
    def smtpd_name(self, name: str) -> None:
        self._name = self._backend.settings.table = name

    def _server_of(self, backend: Backend) -> TimedServer:
        asker: Asker
        if backend.worker is None:
            module, _, name = backend.connection.partition(":")
            asker = Reconnecting(getattr(import_module(module), name)(backend.plain()))
        else:
            from opensmtpd.backends.network.remote import Remote  # noqa: PLC0415  few have a worker
            from opensmtpd.worker import Pool  # noqa: PLC0415

            if self._pool is None:
                self._pool = Pool(backend.worker, list(backend.needs))
            asker = Remote(self._pool, backend.plain())
        return TimedServer(asker, backend.name, backend.settings.timeout, self._clock)

    def _use(self, backend: Backend, server: TimedServer) -> None:
        settings = backend.settings
        settings.table = self.smtpd_name
        self.delimiter = settings.delimiter
        self._backend, self._server = backend, server
        self._lists = Lists(backend, server, self._clock)
        listed = {each for each in WITH_PATTERNS if backend.patterns_question(each) is not None}
        self._matched = settings.matched | listed
        self._stale = Stale(settings.stale, self._clock) if settings.stale else None
        never = NEVER if settings.stale_credentials else NEVER | {Service.CREDENTIALS}
        self._kept = frozenset(Service) - never if settings.stale else frozenset()
        self._due: dict[Service, float] = {}
        """The times of the answers to the last requests that began with patterns."""

    # --- start, stop, update --------------------------------------------------------------------

    def _check_now(self) -> None:
        until = self._clock() + DRY_SECONDS
        try:
            self._raise_first(self._backend, self._server.check(DRY_SECONDS))
            self._lists.load(until - self._clock())
        except ConfigError:
            raise
        except LocalError as error:
            place, reason = self._backend, str(error)
            if place.name not in reason:
                reason = f"{place.name}: {reason}"
            raise ConfigError(reason, path=place.path, line=place.line) from None
        finally:
            self.stop()

    def _raise_first(self, backend: Backend, faults: Sequence[Fault]) -> None:
        for fault in faults:
            raise fault_of(backend, fault)

    def start(self) -> None:
        """Connect: a server that is away is logged, and so is what it finds wrong."""
        if Service.AUTH in self.services and not self._backend.authenticates:
            from opensmtpd.table.passwords.checks import checks  # noqa: PLC0415  few tables need it

            checks()
        try:
            faults = self._server.check(self._backend.settings.timeout)
        except (ServerLost, ServerLate) as error:
            self._server.failed(error)
            return
        for fault in faults:
            log("configuration-unusable", reason=fault_of(self._backend, fault))
        try:
            self._lists.load(CHECK_SECONDS)
        except (ServerLost, ServerLate):  # which are logged
            return
        except LocalError as error:  # each request that needs the list will tell
            log("configuration-unusable", path=self.path, reason=error)

    def stop(self) -> None:
        """Close the connection, and end the worker."""
        self._server.close()
        if self._pool is not None:
            self._pool.close()

    def update(self) -> None:
        """Read the configuration anew. Raises ConfigError, Unavailable, and keeps the old one."""
        backend = self._read(self.path)
        self._must_fit(backend)
        server = self._server_of(backend)
        try:
            self._raise_first(backend, server.check(backend.settings.timeout))  # all mail waits
            lists = Lists(backend, server, self._clock)
            lists.load(CHECK_SECONDS)
        except BaseException:
            server.close()
            raise
        self._server.close()
        self._use(backend, server)
        self._lists = lists

    def _must_fit(self, backend: Backend) -> None:
        """Raise ConfigError for a configuration that the sandbox of the start does not let work."""
        more = (backend.needs.network and not self._reached.network) or (
            backend.needs.sockets and not self._reached.sockets
        )
        if backend.authenticates != self._backend.authenticates or (sandboxed() and more):
            fault = "another kind of server than that of the start"
            remedy = "restart smtpd"
            raise ConfigError(fault, path=self.path, line=backend.line, remedy=remedy)

    # --- requests -------------------------------------------------------------------------------

    def lookup(self, service: Service, key: str) -> str | None:
        """Return the value of the row for a key."""
        if service in self._kept:
            return self._or_stale(self._looked_up, service, [key])[0]
        backend = self._backend
        replies = self._server.ask([backend.question(service, key)], self._due.get(service))
        return backend.value(service, replies[0])

    def check(self, service: Service, key: str) -> bool:
        """Return whether there is a row, with any content."""
        if service in self._kept:
            return self._or_stale(self._checked, service, [key])[0]
        backend = self._backend
        replies = self._server.ask([backend.question(service, key)], self._due.get(service))
        return backend.found(service, replies[0])

    def lookup_many(self, service: Service, keys: Sequence[str]) -> list[str | None]:
        """Return the values of rows, up to the first that is there, within the time of one."""
        return self._or_stale(self._looked_up, service, keys)

    def check_many(self, service: Service, keys: Sequence[str]) -> list[bool]:
        """Return whether there are rows, up to the first that there is, within the time of one."""
        return self._or_stale(self._checked, service, keys)

    def _looked_up(self, service: Service, keys: Sequence[str]) -> list[str | None]:
        return self._asked(self._backend.value, service, keys, None)

    def _checked(self, service: Service, keys: Sequence[str]) -> list[bool]:
        return self._asked(self._backend.found, service, keys, False)

    def _asked(
        self,
        meaning: Callable[[Service, ServerReply], T],
        service: Service,
        keys: Sequence[str],
        no: T,
    ) -> list[T]:
        """Return what the replies mean, up to the first that is true.

        The first key is that of smtpd, which most often has the row: the others are asked for only
        where it has none, all at once.
        """
        backend, server = self._backend, self._server
        until = self._due.get(service) or server.until()
        answers: list[T] = []
        for some in (keys[:1], keys[1:] if service in self._matched else ()):
            questions = [backend.question(service, key) for key in some]
            for reply in server.ask(questions, until) if questions else ():
                answers.append(meaning(service, reply))
                if answers[-1]:
                    return answers
        return answers + [no] * (len(keys) - len(answers))

    def _or_stale(
        self,
        ask: Callable[[Service, Sequence[str]], list[T]],
        service: Service,
        keys: Sequence[str],
    ) -> list[T]:
        """Return the answers, or those that came for the same keys before the server went away."""
        if self._stale is None or service not in self._kept:
            return ask(service, keys)
        asked: Hashable = (ask.__name__, service, *keys[:1], len(keys))
        try:
            answers = ask(service, keys)
        except (ServerLost, ServerLate):
            known = self._stale.find(asked)
            if known is None:
                raise
            return known[0]  # type: ignore[no-any-return]  # the name of ``ask`` is in its key
        if not any(isinstance(each, str) and len(each) > VALUE_MAX for each in answers):
            self._stale.keep(asked, answers, any(answers))  # a longer one is none to smtpd
        return answers

    def authenticate(self, user: str, password: str) -> TableAnswer[bool] | Deferred[bool]:
        """Return whether the password is the user's: the server tells, or the hash that it has."""
        backend = self._backend
        if not backend.authenticates:
            return super().authenticate(user, password)
        question = backend.question(Service.AUTH, f"{user}:{password}")
        return backend.found(Service.AUTH, self._server.ask([question])[0]) is True

    def patterns(self, service: Service) -> Patterns | None:
        """Return the index of rows that are no literal keys, where the configuration lists them.

        The engine asks for it first: reading it, and what is asked then, have the time of one.
        """
        if self._backend.patterns_question(service) is None:
            return None
        until = self._due[service] = self._server.until()
        return self._lists.patterns(service, until)

    def fetch(self, service: Service) -> str | None:
        """Return the next value of a list."""
        return self._lists.fetch(service)


def fault_of(backend: Backend, fault: Fault) -> ConfigError:
    """Return the error for a fault that the server has told."""
    message, line, remedy = fault
    return ConfigError(message, path=backend.path, line=line, remedy=remedy)
