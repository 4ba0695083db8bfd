"""The events of smtpd: a class for each report (smtpd tells) and each request (smtpd asks).

All are tuples. ``time`` is smtpd's own clock, seconds since the epoch. Text that a client or the
DNS controls is ``bytes``, as it came: it need not be UTF-8. Words of smtpd's own are ``str``.
Source: ``lka_filter.c`` of OpenSMTPD 6.8 to 7.9, smtpd-filters(7).
"""

from typing import Literal, NamedTuple, TypeAlias

# --- reports: lka_report_smtp_* in lka_filter.c -------------------------------------------------


class LinkConnect(NamedTuple):
    """A client connected."""

    time: float
    rdns: bytes
    """The client's name in the DNS, ``b"<unknown>"`` where it has none."""
    fcrdns: str
    """``"pass"`` where the name leads back to the address, otherwise ``"fail"`` or ``"error"``."""
    source: bytes
    """``b"192.0.2.1:4711"``, ``b"[2001:db8::1]:4711"`` or ``b"unix:/path"``."""
    destination: bytes
    """The listener's side, in the same form."""


class LinkDisconnect(NamedTuple):
    """The session is over; answers for it are no longer heard."""

    time: float


class LinkGreeting(NamedTuple):
    """The banner was sent."""

    time: float
    hostname: bytes


class LinkIdentify(NamedTuple):
    """HELO or EHLO was accepted."""

    time: float
    verb: str
    """``"HELO"`` or ``"EHLO"``."""
    identity: bytes


class LinkTLS(NamedTuple):
    """TLS was set up."""

    time: float
    ciphers: bytes
    """``b"TLSv1.3:TLS_AES_256_GCM_SHA384:256"``."""


class LinkAuth(NamedTuple):
    """An AUTH command ended."""

    time: float
    result: str
    """``"pass"``, ``"fail"`` or ``"error"``."""
    username: bytes


class TxReset(NamedTuple):
    """The transaction's state is gone: after each commit, rollback, or RSET."""

    time: float
    msgid: str


class TxBegin(NamedTuple):
    """A transaction began."""

    time: float
    msgid: str


class TxMail(NamedTuple):
    """MAIL FROM was answered."""

    time: float
    msgid: str
    result: str
    """``"ok"``, ``"permfail"`` or ``"tempfail"``."""
    address: bytes
    """The sender without ``<>``; empty for a bounce."""


class TxRcpt(NamedTuple):
    """RCPT TO was answered."""

    time: float
    msgid: str
    result: str
    """``"ok"``, ``"permfail"`` or ``"tempfail"``."""
    address: bytes


class TxEnvelope(NamedTuple):
    """An envelope was made for a recipient."""

    time: float
    msgid: str
    envelope: str


class TxData(NamedTuple):
    """DATA was answered. The first lines of the message may have come before."""

    time: float
    msgid: str
    result: str
    """``"ok"``, ``"permfail"`` or ``"tempfail"``."""


class TxCommit(NamedTuple):
    """The message was accepted into the queue."""

    time: float
    msgid: str
    size: int
    """Bytes."""


class TxRollback(NamedTuple):
    """The message was given up."""

    time: float
    msgid: str


class ProtocolClient(NamedTuple):
    """A command as the client typed it."""

    time: float
    command: bytes

    def __repr__(self) -> str:
        return "ProtocolClient(...)"  # AUTH and what follows it hold passwords


class ProtocolServer(NamedTuple):
    """A reply as smtpd sent it."""

    time: float
    response: bytes


class FilterReport(NamedTuple):
    """A builtin or another filter reported something."""

    time: float
    kind: str
    """``"builtin"`` or ``"proc"``."""
    name: bytes
    message: bytes


class FilterResponse(NamedTuple):
    """The filters of a phase came to a decision."""

    time: float
    phase: str
    """As in requests, but ``"connected"`` for connect and ``"tls"`` for starttls."""
    decision: str
    parameter: bytes | None = None


class Timeout(NamedTuple):
    """The client was silent for too long."""

    time: float


Report: TypeAlias = (
    LinkConnect
    | LinkDisconnect
    | LinkGreeting
    | LinkIdentify
    | LinkTLS
    | LinkAuth
    | TxReset
    | TxBegin
    | TxMail
    | TxRcpt
    | TxEnvelope
    | TxData
    | TxCommit
    | TxRollback
    | ProtocolClient
    | ProtocolServer
    | FilterReport
    | FilterResponse
    | Timeout
)

# --- requests: filter_protocol_query in lka_filter.c --------------------------------------------


class Connect(NamedTuple):
    """A client connected, before it is greeted."""

    time: float
    rdns: bytes
    """``b"<unknown>"`` where the client has no name."""
    address: bytes
    """``b"192.0.2.1"``, ``b"[2001:db8::1]"`` or ``b"local"``."""


class Helo(NamedTuple):
    """HELO or EHLO, before it is accepted."""

    time: float
    identity: bytes
    verb: Literal["HELO", "EHLO"] = "EHLO"


class StartTLS(NamedTuple):
    """STARTTLS."""

    time: float


class Auth(NamedTuple):
    """AUTH, with the password in it."""

    time: float
    parameter: bytes
    """``b"PLAIN AGFsaWNlAHNlY3JldA=="``: never log it, never store it."""

    def __repr__(self) -> str:
        return "Auth(...)"


class MailFrom(NamedTuple):
    """MAIL FROM, without ``<>`` and without parameters; empty for a bounce."""

    time: float
    address: bytes


class RcptTo(NamedTuple):
    """RCPT TO, without ``<>`` and without parameters."""

    time: float
    address: bytes


class Data(NamedTuple):
    """DATA, before it is accepted."""

    time: float


class Commit(NamedTuple):
    """The message is complete: last chance to refuse it."""

    time: float


class Rset(NamedTuple):
    """RSET."""

    time: float


class Quit(NamedTuple):
    """QUIT."""

    time: float


class Noop(NamedTuple):
    """NOOP."""

    time: float


class Help(NamedTuple):
    """HELP."""

    time: float


FilterRequest: TypeAlias = (
    Connect | Helo | StartTLS | Auth | MailFrom | RcptTo | Data | Commit | Rset | Quit | Noop | Help
)
