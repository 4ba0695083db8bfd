"""The decisions that a filter may answer with: none that smtpd dies of can be constructed.

Which decision is legal in which phase is said twice from one table: as types, for mypy, and as
``LEGAL``, for code that mypy did not see. Source: ``lka_filter_process_response`` in
``lka_filter.c`` (the process answers of smtpd's own filters have no such limits, and no such
consequences).
"""

from typing import TypeAlias

from opensmtpd.errors import DecisionError, Refusal, returned

REPLY_MAX = 510
"""Bytes of a reply line without its line end (RFC 5321 section 4.5.3.1.5)."""

PARAMETER_MAX = 1000
"""Bytes of a rewritten parameter; a command line holds no more (RFC 5321 section 4.5.3.1.4)."""


class Proceed:
    """Let the command through; the only answer after which the next filter is asked."""

    __slots__ = ()

    def wire(self, phase: str) -> bytes:
        """Return the decision as smtpd reads it."""
        return b"proceed"

    def __repr__(self) -> str:
        return "Proceed()"


class Junk:
    """Let the command through and mark session or transaction: ``X-Spam: Yes`` is put in front."""

    __slots__ = ()

    def wire(self, phase: str) -> bytes:
        """Return the decision as smtpd reads it."""
        return b"junk"

    def __repr__(self) -> str:
        return "Junk()"


class _Fixed:
    """A decision that is checked when it is made, and cannot be changed afterwards."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")


class _Reply(_Fixed, Refusal):
    """A decision that answers the client: code (400 to 599) and one line of printable ASCII.

    Raises DecisionError for anything that smtpd would turn into ``421 Internal server error``.
    """

    __slots__ = ("code", "text")
    name = b""

    def __init__(self, code: int, text: str) -> None:
        if not isinstance(code, int) or not 400 <= code <= 599:
            raise DecisionError(f"reply code {code!r} is not from 400 to 599")
        if not isinstance(text, str):
            raise DecisionError(f"text is str, not {type(text).__name__}")
        if not text.strip():
            raise DecisionError("a reply needs a text behind its code")
        if not (text.isascii() and text.isprintable()):
            raise DecisionError(f"reply text is not one line of printable ASCII: {text!r}")
        if len(text) + 4 > REPLY_MAX:
            raise DecisionError(f"reply line is longer than {REPLY_MAX} bytes")
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "text", text)

    def wire(self, phase: str) -> bytes:
        """Return the decision as smtpd reads it."""
        return b"%s|%d %s" % (self.name, self.code, self.text.encode("ascii"))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code}, {self.text!r})"


class Reject(_Reply):
    """Refuse the command with a reply; with code 421 smtpd also disconnects."""

    __slots__ = ()
    name = b"reject"


class Disconnect(_Reply):
    """Refuse the command with a reply, then disconnect."""

    __slots__ = ()
    name = b"disconnect"


class Rewrite(_Fixed):
    """Replace the command's parameter: the identity, or an address (bytes, without ``<>``)."""

    __slots__ = ("value",)
    value: bytes

    def __init__(self, value: bytes) -> None:
        if not isinstance(value, bytes):
            raise DecisionError(f"a rewritten parameter is bytes, not {type(value).__name__}")
        if len(value) > PARAMETER_MAX or not all(0x20 <= byte != 0x7F for byte in value):
            raise DecisionError("a rewritten parameter is one line without control characters")
        if b"<" in value or b">" in value:
            raise DecisionError("a rewritten address goes without its angle brackets")
        object.__setattr__(self, "value", value)

    def wire(self, phase: str) -> bytes:
        """Return the decision as smtpd reads it: addresses get their brackets back."""
        if phase in ("mail-from", "rcpt-to"):
            return b"rewrite|<%s>" % self.value
        if not self.value:
            raise DecisionError("an identity cannot be rewritten to nothing")
        return b"rewrite|%s" % self.value

    def __repr__(self) -> str:
        return f"Rewrite({self.value!r})"


PROCEED = Proceed()
JUNK = Junk()

CommitDecision: TypeAlias = Proceed | Reject | Disconnect
"""For commit (where junk is fatal) and for RSET, QUIT, NOOP and HELP (where it means nothing)."""
PhaseDecision: TypeAlias = Proceed | Junk | Reject | Disconnect
"""For connect, STARTTLS, AUTH and DATA."""
ParameterDecision: TypeAlias = Proceed | Junk | Reject | Disconnect | Rewrite
"""For HELO and EHLO, MAIL FROM and RCPT TO: the phases with a parameter to rewrite."""
Decision: TypeAlias = Proceed | Junk | Reject | Disconnect | Rewrite

_COMMIT = (Proceed, Reject, Disconnect)
_PHASE = (*_COMMIT, Junk)
_PARAMETER = (*_PHASE, Rewrite)

LEGAL: dict[str, tuple[type, ...]] = {
    "connect": _PHASE,
    "helo": _PARAMETER,
    "ehlo": _PARAMETER,
    "starttls": _PHASE,
    "auth": _PHASE,
    "mail-from": _PARAMETER,
    "rcpt-to": _PARAMETER,
    "data": _PHASE,
    "commit": _COMMIT,
    "rset": _COMMIT,
    "quit": _COMMIT,
    "noop": _COMMIT,
    "help": _COMMIT,
}
"""Phase to the decisions that may answer it."""


def handler_name(event: str) -> str:
    """Return the method that takes a phase or a report: HELO and EHLO share one."""
    return "on_" + ("helo" if event == "ehlo" else event.replace("-", "_"))


def encode(phase: str, decision: object) -> bytes:
    """Return ``decision`` as it stands behind the token, or raise DecisionError."""
    if not isinstance(decision, Proceed | Junk | Reject | Disconnect | Rewrite):
        remedy = "return PROCEED or another decision"
        raise DecisionError(f"{handler_name(phase)} {returned(decision)}: {remedy}")
    if not isinstance(decision, LEGAL[phase]):
        raise DecisionError(f"{decision!r} may not answer {phase}")
    return decision.wire(phase)
