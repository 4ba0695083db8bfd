"""The handshake as smtpd sees it: the lines of each release, and the names to register.

Sources: ``lka_proc_config``, ``processor_register``, ``lka_report_register_hook`` and
``lka_filter_register_hook`` in ``lka_filter.c`` of OpenSMTPD 7.6 and 7.9; recordings of 6.8.
Nothing here comes from the core: the kit judges it.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from opensmtpd.testing.model.fatal import Fatal


class Release(NamedTuple):
    """The differences between the releases that a filter meets."""

    smtpd_version: str
    protocol: str
    names_protocol: bool
    """True if the handshake says ``config|protocol``."""
    wiz: bool
    """True if there is a phase of that name. (To register an unknown one is fatal.)"""
    report_decision: bool
    """True if ``report|text`` is a decision. (Never send it: it overwrites the command.)"""
    ehlo_again: bool
    """True if a client may send EHLO twice; the second one works like RSET."""
    local_characters: bytes
    """Characters of local parts besides letters, digits, and dots between them: smtpd's
    ``MAILADDR_ALLOWED``."""
    orcpt_xtext: bool
    """True if ORCPT has an address type and xtext (RFC 3461), not just an address."""


_LOCAL = b"!#$%&'*/?^`{|}~+-=_"
_LOCAL_79 = b"!#%&'*/?^~+-=_"
RELEASES = {
    "6.8.0": Release("6.8.0p2", "0.6", False, True, False, False, _LOCAL, False),
    "7.6.0": Release("7.6.0-portable", "0.7", True, True, True, False, _LOCAL, True),
    "7.9.0": Release("7.9.0-portable", "0.7", True, False, True, True, _LOCAL_79, True),
}

EVENTS = frozenset(
    [
        *("link-connect", "link-disconnect", "link-greeting", "link-identify"),
        *("link-tls", "link-auth", "tx-reset", "tx-begin", "tx-mail", "tx-rcpt"),
        *("tx-envelope", "tx-data", "tx-commit", "tx-rollback", "protocol-client"),
        *("protocol-server", "filter-report", "filter-response", "timeout"),
    ]
)
"""smtp_events in ``lka_filter.c``."""

PHASES = (
    *("connect", "helo", "ehlo", "starttls", "auth", "mail-from", "rcpt-to", "data"),
    *("data-line", "rset", "quit", "noop", "help", "commit"),
)
"""filter_execs in ``lka_filter.c``, without ``wiz``."""


def release(version: str) -> Release:
    """Return the release for ``"6.8"``, ``"7.6.0"``, ``"7.9.0-portable"`` and the like.

    Raises ValueError for one that the kit does not know.
    """
    for name, known in RELEASES.items():
        if version.startswith(name.rpartition(".")[0]):
            return known
    raise ValueError(f"no model of smtpd {version}; there are {', '.join(RELEASES)}")


@dataclass
class Registry:
    """Takes ``register`` lines and remembers what the filter wants to hear."""

    release: Release
    ready: bool = False
    events: set[str] = field(default_factory=set)
    """Reports registered for smtp-in. (Those for smtp-out are taken, and never sent here.)"""
    phases: set[str] = field(default_factory=set)
    _frozen: frozenset[str] | None = None

    def hears(self, event: str) -> bool:
        """Return whether the filter is told of ``event``."""
        return event in self.events

    def asked(self, phase: str) -> bool:
        """Return whether the filter is asked in ``phase``.

        Chains are built once, after the handshake (``lka_filter_ready``): a phase registered later
        is taken and never asked.
        """
        return phase in (self.phases if self._frozen is None else self._frozen)

    def register(self, line: bytes) -> None:
        """Take a line that begins with ``register|``; raises Fatal where smtpd would."""
        text = line.decode("latin-1")
        if text == "register|ready":  # processor_register
            self.ready = True
            self._frozen = frozenset(self.phases) if self._frozen is None else self._frozen
        elif text.startswith("register|report|"):
            self._report(text[16:], line)
        elif text.startswith("register|filter|"):
            self._filter(text[16:], line)
        else:
            raise Fatal("Invalid register line received", line)

    def _report(self, hook: str, line: bytes) -> None:  # lka_report_register_hook
        direction, _, event = hook.partition("|")
        if direction not in ("smtp-in", "smtp-out"):
            raise Fatal("Invalid message direction", line)
        if event != "*" and event not in EVENTS:
            raise Fatal("Unrecognized report name", line)
        if direction == "smtp-in":
            self.events |= EVENTS if event == "*" else {event}

    def _filter(self, hook: str, line: bytes) -> None:  # lka_filter_register_hook
        direction, _, phase = hook.partition("|")
        if direction.lower() != "smtp-in":  # strncasecmp, here alone
            raise Fatal("Invalid message direction", line)
        if phase not in PHASES and not (phase == "wiz" and self.release.wiz):
            raise Fatal("Unrecognized report name", line)
        self.phases.add(phase)
