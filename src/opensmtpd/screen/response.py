"""What a screening filter does to a client, as the administrator wrote it: ``ACTION[:TEXT]``."""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from string import Formatter
from typing import NamedTuple, TypeAlias

from opensmtpd.decisions import JUNK, PROCEED, REPLY_MAX, Disconnect, Junk, Proceed, Reject
from opensmtpd.errors import ConfigError

PhaseDecision: TypeAlias = Proceed | Junk | Reject | Disconnect

FIELDS = ("ip", "rdns", "helo", "sender", "check", "reason")
"""What a text may name in braces."""


class Action(IntEnum):
    """What can be done, the mildest first: of several, the strongest is done."""

    OFF = 0
    """Nothing."""
    HEADER = 1
    """Only say so: in the log, and in the message's header."""
    JUNK = 2
    """Have smtpd mark the mail ``X-Spam: Yes``."""
    TEMPFAIL = 3
    """Refuse for now, with 451."""
    REJECT = 4
    """Refuse, with 550."""
    DISCONNECT = 5
    """Refuse, with 550, and hang up."""


ACTIONS = {action.name.lower(): action for action in Action}
_REFUSALS = {Action.TEMPFAIL: (400, 451), Action.REJECT: (500, 550), Action.DISCONNECT: (400, 550)}
"""Action to its lowest reply code and the one that it has where the text names none."""
_CODE = re.compile(r"([45]\d\d) +(?=\S)")


class Response(NamedTuple):
    """An action, with the reply where it is a refusal."""

    action: Action
    code: int = 0
    """Of the reply, 400 to 599; 0 where there is none."""
    text: str = ""
    """Behind the code, with fields in braces. Empty: the text of the check."""

    def decision(self, default: str, fields: Mapping[str, str]) -> PhaseDecision:
        """Return the answer for smtpd; ``default`` is the text where the administrator gave none.

        ``default`` has no class in its status code (``7.25 Text``); ``fields`` may hold anything.
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
    """Read ``ACTION[:TEXT]``; the text may begin with a reply code. Raises ConfigError."""
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
    """Return ``text`` if it is a template that can be filled. Raises ConfigError."""
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
    """Return ``template`` with its fields filled in, ``-`` for what is not known."""
    return "".join(
        literal + ("" if name is None else fields.get(name) or "-")
        for literal, name, _, _ in Formatter().parse(template)
    )


def harmless(text: str) -> str:
    """Return ``text`` as one line of printable ASCII, whatever a client put into it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text)
