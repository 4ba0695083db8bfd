"""The directives of smtpd.conf as records, each with the place where it begins.

Source: the grammar of parse.y in smtpd 6.8 to 7.9. A word that is left out is "", None or False;
the defaults that smtpd takes then are named at the fields.
"""

from typing import Literal, NamedTuple

from opensmtpd.table.file import Row
from opensmtpd_cli.smtpdconf.filter_line import FilterEntry

TlsMode = Literal["", "tls", "tls-require", "tls-require verify", "smtps", "smtps verify"]
FilterKind = Literal["proc-exec", "proc", "phase", "chain"]
ActionKind = Literal["maildir", "mbox", "lmtp", "mda", "expand-only", "forward-only", "relay"]


class Place(NamedTuple):
    """A line of a file, from 1."""

    path: str
    line: int


class TableRef(NamedTuple):
    """A table where it is used: ``<name>``, ``{ … }``, or one word, which is a list of one row.

    ``rows`` is None for ``<name>``; ``name`` is "" for the two others.
    """

    name: str
    rows: tuple[Row, ...] | None
    line: int


class Condition(NamedTuple):
    """A condition of a ``match``, or of a filter with a phase.

    ``kind`` is from, for, auth, tls, helo, mail-from, rcpt-to or tag, and that of a filter fcrdns,
    rdns, src, helo, auth, mail-from or rcpt-to. ``what`` is the word behind from (any, local,
    socket, src, rdns, auth, mail-from) and behind for (any, local, domain, rcpt-to).
    ``table`` is None where the condition names none: ``from rdns`` alone, ``auth`` alone.
    """

    kind: str
    what: str = ""
    negated: bool = False
    table: TableRef | None = None
    regex: bool = False


class FilterDefinition(NamedTuple):
    """A ``filter`` directive. ``words`` are all that follow its kind."""

    place: Place
    name: str
    kind: FilterKind
    words: tuple[str, ...]
    entry: FilterEntry | None = None
    """The program that runs: of this directive (proc-exec), or of the ``proc`` that it names."""
    proc: str = ""
    phase: str = ""
    condition: Condition | None = None
    decision: str = ""
    """Of a phase: junk, bypass, reject, disconnect, rewrite or report."""
    chain: tuple[str, ...] = ()


class ProcDefinition(NamedTuple):
    """A ``proc`` directive."""

    place: Place
    name: str
    entry: FilterEntry


class Listener(NamedTuple):
    """A ``listen on`` directive. smtpd makes one for the socket too, where none is written."""

    place: Place
    where: str
    """``socket``, or what was written: an interface or group of them, an address, a host name."""
    port: int = 25
    """465 for smtps without a port; 0 for the socket, and for a service without a known number."""
    family: Literal["", "inet4", "inet6"] = ""
    tls: TlsMode = ""
    pki: tuple[str, ...] = ()
    ca: str = ""
    auth: Literal["", "auth", "auth-optional"] = ""
    auth_table: TableRef | None = None
    """None: the users of the system."""
    filters: tuple[str, ...] = ()
    """A filter or chain by its name, or the filters in ``{ … }``."""
    hostname: str = ""
    hostnames: TableRef | None = None
    senders: TableRef | None = None
    masquerade: bool = False
    mask_src: bool = False
    tag: str = ""
    no_dsn: bool = False
    proxy_v2: bool = False
    received_auth: bool = False
    ciphers: str = ""
    protocols: str = ""


class ActionDefinition(NamedTuple):
    """An ``action`` directive. The fields behind ``wrapper`` are those of ``relay``."""

    place: Place
    name: str
    kind: ActionKind
    path: str = ""
    """Of a maildir, the destination of lmtp, the command of mda."""
    junk: bool = False
    rcpt_to: bool = False
    """``lmtp … rcpt-to``."""
    ttl: str = ""
    alias: TableRef | None = None
    virtual: TableRef | None = None
    userbase: TableRef | None = None
    """None: the users of the system."""
    user: str = ""
    wrapper: str = ""
    host: TableRef | None = None
    domain: TableRef | None = None
    helo: str = ""
    helo_src: TableRef | None = None
    src: TableRef | None = None
    auth: TableRef | None = None
    tls: Literal["", "tls", "tls no-verify"] = ""
    pki: str = ""
    ca: str = ""
    mail_from: str = ""
    ciphers: str = ""
    protocols: str = ""
    filters: tuple[str, ...] = ()
    """As those of a Listener; they see outgoing sessions."""
    srs: bool = False
    backup: bool = False
    backup_mx: str = ""


class MatchRule(NamedTuple):
    """A ``match`` directive. ``action`` is "" where it rejects."""

    place: Place
    action: str
    conditions: tuple[Condition, ...] = ()

    @property
    def from_(self) -> Condition:
        """The condition that begins with ``from``: ``from local`` where it is left out."""
        return self._of("from") or Condition("from", "local")

    @property
    def for_(self) -> Condition:
        """The condition that begins with ``for``: ``for local`` where it is left out."""
        return self._of("for") or Condition("for", "local")

    def _of(self, kind: str) -> Condition | None:
        return next((each for each in self.conditions if each.kind == kind), None)


class Pki(NamedTuple):
    """The ``pki`` directives of one name, which is in lower case. ``place`` is the first."""

    place: Place
    name: str
    cert: str = ""
    cert_place: Place = Place("", 0)
    key: str = ""
    key_place: Place = Place("", 0)
    dhe: str = ""


class Ca(NamedTuple):
    """A ``ca`` directive. ``name`` is in lower case."""

    place: Place
    name: str
    cert: str


class Other(NamedTuple):
    """A directive that is not understood, or not to its end: another smtpd may take it."""

    place: Place
    words: tuple[str, ...]
