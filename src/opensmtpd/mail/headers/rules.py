r"""The rules of filter-headers, read from a file, and followed from top to bottom.

::

    # what   field        where its value is   what is written
    reject   Subject      /buy now/            "5.7.1 We buy nothing"
    junk     From         *@spam.example*
    replace  Reply-To     *@old.example        staff@example.org
    remove   X-Internal-*
    add      X-Checked    "by the rules"
    privacy
"""

import re
from collections.abc import Iterator
from string import whitespace
from typing import NamedTuple

from opensmtpd.errors import ConfigError, DecisionError, nearest
from opensmtpd.filter import EditedMessage, Field, Reject
from opensmtpd.filter.field import make
from opensmtpd.mail.headers.patterns import Matching, NamePattern, Pattern
from opensmtpd.mail.headers.privacy import hide, own_received
from opensmtpd.table.file import lines

REFUSED = "5.7.1 Message refused"
TOO_LONG = Reject(552, "5.3.4 Message header too long")
"""The refusal of a header that takes too long to match with all rules."""
NAME_WORK, EDIT_WORK = 5, 150
"""Work to look at the name of a field, and to edit one: see ``patterns.WORK_MAX``."""
LINE_MAX = 998
"""Bytes of a line that is written (RFC 5322 section 2.1.1)."""
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"(?!\S)|(/(?:[^/\\]|\\.)*/|[^\s"#][^\s"]*)(?!\S)', re.ASCII)
_FORMS = {
    "reject": "FIELD PATTERN [TEXT]",
    "junk": "FIELD PATTERN",
    "remove": "FIELD [PATTERN]",
    "replace": "FIELD PATTERN VALUE",
    "add": "FIELD VALUE",
    "privacy": "",
}
"""The words behind each action."""


class HeaderRule(NamedTuple):
    """A line of the file."""

    line: int
    action: str
    field: str = ""
    """The name of the fields that it is about, which may have stars; of ``add``, of the new one."""
    name: NamePattern | None = None
    pattern: Pattern | None = None
    """None matches all values."""
    value: bytes = b""
    refusal: Reject | None = None

    def found(
        self, message: EditedMessage, own: Field | None, matching: Matching
    ) -> Iterator[Field]:
        """Yield the fields that match: smtpd's own Received never does."""
        for each in message.fields:
            matching.left -= NAME_WORK + len(each.name) // 8
            if matching.left < 0:
                return
            if each is own or self.name is None or not self.name.matches(each.name):
                continue
            if self.pattern is None or self.pattern.matches(each, matching):
                yield each

    def edit(self, message: EditedMessage, field: Field) -> None:
        """Do to a field that matches as the rule says."""
        # A client's name may leave no room for a value in a line that smtpd takes.
        if self.action == "remove" or len(field.name) > LINE_MAX:
            message.remove(field)
        else:
            message.replace(field, self.value)


class HeaderVerdict(NamedTuple):
    """The outcome of the rules, besides edits."""

    refusal: Reject | None = None
    line: int = 0
    """The line of the rule that refuses, or the first that junks; 0 for none."""
    junk: bool = False
    too_long: bool = False
    """True where the work for a message was at its end in that rule."""


class HeaderRules:
    """The rules of a file."""

    def __init__(self, path: str) -> None:
        """Read a file. Raises ConfigError for one that cannot be read, and for a bad line."""
        self.rules: list[HeaderRule] = []
        for number, line in enumerate(lines(path), 1):
            try:
                words = _words(line)
                self.rules += [_rule(number, *words)] if words else []
            except (ValueError, DecisionError) as error:
                remedy = "see RULES in filter-headers(8)"
                raise ConfigError(str(error), path=path, line=number, remedy=remedy) from None
        if not self.rules:
            raise ConfigError(
                "there is no rule", path=path, remedy="write one, or no filter-headers"
            )

    def follow(self, message: EditedMessage, *, ours: bool) -> HeaderVerdict:
        """Edit a message; ``ours`` is one of a user of ours."""
        matching, own, junk = Matching(), own_received(message), 0
        for rule in self.rules:
            if rule.action == "privacy":
                if ours:
                    own = hide(message, own)
            elif rule.action == "add":
                matching.left -= EDIT_WORK
                message.prepend(rule.field.encode("ascii"), rule.value)
            elif rule.action in ("reject", "junk"):
                if any(rule.found(message, own, matching)):
                    if rule.refusal is not None:
                        return HeaderVerdict(rule.refusal, rule.line)
                    junk = junk or rule.line
            else:
                for field in rule.found(message, own, matching):
                    matching.left -= EDIT_WORK
                    rule.edit(message, field)
            if matching.left < 0:
                return HeaderVerdict(TOO_LONG, rule.line, too_long=True)
        return HeaderVerdict(None, junk, junk > 0)


def _words(line: bytes) -> list[str]:
    """Return the words of a line: plain, in quotes (without them), and between slashes.

    Raises ValueError.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise ValueError("bytes that are no UTF-8") from None
    words, at = [], 0
    while at < len(text):
        if text[at] in whitespace:
            at += 1
            continue
        if text[at] == "#":
            break
        match = _WORD.match(text, at)
        if match is None:
            rest = text[at : at + 40].strip()
            raise ValueError(f"{rest!r}: quotes and slashes stand around whole words")
        quoted, plain = match.groups()
        words.append(plain if quoted is None else re.sub(r'\\(["\\])', r"\1", quoted))
        at = match.end()
    return words


def _rule(line: int, action: str, *words: str) -> HeaderRule:
    """Return a rule. Raises ValueError, DecisionError."""
    if action not in _FORMS:
        near = nearest(action, _FORMS)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(_FORMS)}"
        raise ValueError(f"{action!r} is no action: {hint}")
    form = _FORMS[action].split()
    least = sum(each[0] != "[" for each in form)
    if not least <= len(words) <= len(form):
        hint = ", with quotes around what has blanks" if len(words) > len(form) > 0 else ""
        raise ValueError(f"write: {action} {_FORMS[action]}".rstrip() + hint)
    if not form:
        return HeaderRule(line, action)
    field, *rest = words
    name = NamePattern(field)
    if action == "add":
        if "*" in field:
            raise ValueError(f"{field!r} is no name of a new field")
        return HeaderRule(line, action, field, name, value=_value(field, rest[0]))
    pattern = Pattern(rest[0]) if rest else None
    if action == "replace":
        value = _value(field.replace("*", "X"), rest[1])
        return HeaderRule(line, action, field, name, pattern, value)
    refusal = _refusal(rest[1] if len(rest) > 1 else "") if action == "reject" else None
    return HeaderRule(line, action, field, name, pattern, refusal=refusal)


def _value(field: str, value: str) -> bytes:
    """Return a value that can be written. Raises DecisionError."""
    raw = value.encode("utf-8", "surrogateescape")
    make(field.encode("ascii"), raw, LINE_MAX)
    return raw


def _refusal(words: str) -> Reject:
    """Return the refusal with a text, which may have its own code. Raises DecisionError."""
    match = re.fullmatch(r"([45][0-9]{2})(?: +(.*))?", words)
    if match is None:
        return Reject(550, words or REFUSED)
    return Reject(int(match[1]), match[2] or f"{match[1][0]}{REFUSED[1:]}")
