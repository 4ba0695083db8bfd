"""The response of a policy filter to a client, which options give as ``ACTION[:TEXT]``."""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from string import Formatter
from typing import NamedTuple

from opensmtpd.errors import ConfigError
from opensmtpd.filter import JUNK, PROCEED, REPLY_MAX, Disconnect, PhaseDecision, Reject

FIELDS = ("ip", "rdns", "helo", "sender", "check", "reason")
"""The fields that a text may have in braces."""


class Action(IntEnum):
    """The actions, the mildest first. Of several, the strongest is taken."""

    OFF = 0
    """Nothing."""
    HEADER = 1
    """Log the reason, and add it to the header of the message."""
    JUNK = 2
    """Let smtpd mark the mail ``X-Spam: Yes``."""
    TEMPFAIL = 3
    """Refuse for now, with 451 unless the text has a reply code."""
    REJECT = 4
    """Refuse, with 550 unless the text has a reply code."""
    DISCONNECT = 5
    """Refuse, with 550 unless the text has a reply code, and close the connection."""


ACTIONS = {action.name.lower(): action for action in Action}
_REFUSALS = {Action.TEMPFAIL: (400, 451), Action.REJECT: (500, 550), Action.DISCONNECT: (400, 550)}
"""Action to its lowest reply code, and the code that it has where the text has no code."""
_CODE = re.compile(r"([45]\d\d) +(?=\S)")


class Response(NamedTuple):
    """An action, with the reply if it is a refusal."""

    action: Action
    code: int = 0
    """The reply code, 400 to 599; 0 where there is no reply."""
    text: str = ""
    """The text behind the code, with fields in braces; empty for the text of the check."""

    def decision(self, default: str, fields: Mapping[str, str]) -> PhaseDecision:
        """Return the decision for smtpd; ``default`` is the text where the administrator gave none.

        The status code of ``default`` has no class (``7.25 Text``): it is that of the reply code
        (RFC 3463 section 2). The values of ``fields`` may hold any characters.
        """
        if self.action is Action.JUNK:
            return JUNK
        if self.action not in _REFUSALS:
            return PROCEED
        template = self.text or f"{self.code // 100}.{default}"
        text = harmless(fill(template, fields))[: REPLY_MAX - 4].rstrip() or "Refused"
        refusal = Disconnect if self.action is Action.DISCONNECT else Reject
        return refusal(self.code, text)


OFF = Response(Action.OFF)
JUNK_IT = Response(Action.JUNK)


def response(text: str, fields: Iterable[str] = FIELDS) -> Response:
    """Return the response in ``ACTION[:TEXT]``; the text may begin with a reply code.

    ``fields`` are the names that the text may have in braces. Raises ConfigError.
    """
    name, colon, words = text.partition(":")
    action = ACTIONS.get(name)
    if action is None:
        remedy = f"write one of {', '.join(ACTIONS)}"
        raise ConfigError(f"{name!r} is no action", remedy=remedy)
    if action not in _REFUSALS:
        if colon:
            remedy = "only reject, disconnect and tempfail have one"
            raise ConfigError(f"{name} with a text", remedy=remedy)
        return Response(action)
    lowest, code = _REFUSALS[action]
    match = _CODE.match(words)
    if match:
        code, words = int(match[1]), words[match.end() :]
    if not lowest <= code < (500 if action is Action.TEMPFAIL else 600):
        remedy = "4xx is for tempfail, 5xx for reject, both are for disconnect"
        raise ConfigError(f"{name} with reply code {code}", remedy=remedy)
    return Response(action, code, template(words, fields))


def template(text: str, fields: Iterable[str]) -> str:
    """Return ``text`` if it is a template with no other fields than ``fields``.

    Raises ConfigError.
    """
    if not (text.isascii() and (text.isprintable() or not text)):
        raise ConfigError(f"{text!r} is not printable ASCII", remedy="SMTP replies are")
    known = ", ".join(f"{{{name}}}" for name in fields)
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise ConfigError(f"{text!r}: {error}", remedy=f"braces are for {known}") from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in fields or form or conversion):
            raise ConfigError(f"{text!r} has a field {{{name}}}", remedy=f"there are {known}")
    return text


def fill(template: str, fields: Mapping[str, str]) -> str:
    """Return ``template`` with its fields filled in, ``-`` for a field without a value."""
    return "".join(
        literal + ("" if name is None else fields.get(name) or "-")
        for literal, name, _, _ in Formatter().parse(template)
    )


def harmless(text: str) -> str:
    """Return ``text`` as one line of printable ASCII, with ``?`` for all other characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text)
