"""The facts that reports tell about a session, kept until it disconnects."""

from typing import Any, Literal, TypeAlias

from opensmtpd.errors import LocalError

SessionAttribute: TypeAlias = Literal[
    "rdns",
    "fcrdns",
    "source",
    "destination",
    "greeting",
    "verb",
    "identity",
    "tls",
    "username",
    "msgid",
    "sender",
    "recipients",
]
"""The attributes of a session that a filter may name in ``Filter.uses``."""

REPORT_OF: dict[SessionAttribute, str] = {
    "rdns": "link-connect",
    "fcrdns": "link-connect",
    "source": "link-connect",
    "destination": "link-connect",
    "greeting": "link-greeting",
    "verb": "link-identify",
    "identity": "link-identify",
    "tls": "link-tls",
    "username": "link-auth",
    "msgid": "tx-begin",
    "sender": "tx-mail",
    "recipients": "tx-rcpt",
}
"""Attribute of a session to the report that fills it."""

TRANSACTION: frozenset[SessionAttribute] = frozenset(["msgid", "sender", "recipients"])
"""The attributes that end with the transaction."""


class Session:
    """One client's connection.

    Only the attributes that the filter names in ``Filter.uses`` are kept, for each costs smtpd and
    us a line for every session; reading another raises LocalError.
    """

    id: str
    """16 hexadecimal digits, as in smtpd's log."""
    rdns: bytes
    """The client's name in the DNS, ``b"<unknown>"`` without one."""
    fcrdns: str
    """``"pass"``, ``"fail"`` or ``"error"``."""
    source: bytes
    """``b"192.0.2.1:4711"``, ``b"[2001:db8::1]:4711"`` or ``b"unix:/path"``."""
    destination: bytes
    """The listener's side, in the same form."""
    greeting: bytes
    """The name in our banner."""
    verb: str
    """``"HELO"`` or ``"EHLO"``."""
    identity: bytes
    """The name that the client gave for itself in HELO or EHLO."""
    tls: bytes | None
    """Protocol and ciphers, None in clear text."""
    username: bytes | None
    """The user who authenticated, None for nobody."""
    msgid: str | None
    """The transaction's message id in smtpd's queue, 8 hexadecimal digits."""
    sender: bytes | None
    """The accepted MAIL FROM without ``<>``; None outside a transaction."""
    recipients: list[bytes]
    """The accepted RCPT TOs without ``<>``."""
    outgoing: bool
    """True where smtpd is the client: source is its own side then, and tx-… are its deliveries.

    There are such sessions for a filter with ``outgoing`` only.
    """
    data: Any
    """Any object that the filter wants to keep for this session."""

    def __init__(
        self, id: str, uses: tuple[SessionAttribute, ...] = (), outgoing: bool = False
    ) -> None:
        self.id = id
        self.outgoing = outgoing
        self.data = None
        for name in uses:
            setattr(self, name, _EMPTY[name]())

    def __getattr__(self, name: str) -> Any:
        if name in REPORT_OF:
            raise LocalError(f"session.{name} is not kept; add {name!r} to the filter's uses")
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"Session({self.id!r})"


_EMPTY: dict[SessionAttribute, Any] = {
    "rdns": bytes,
    "fcrdns": str,
    "source": bytes,
    "destination": bytes,
    "greeting": bytes,
    "verb": str,
    "identity": bytes,
    "tls": lambda: None,
    "username": lambda: None,
    "msgid": lambda: None,
    "sender": lambda: None,
    "recipients": list,
}
