"""The rules of filter-limit, read from a file: for whom, of what, how much, and what follows.

::

    # for whom        of what      how much        what follows
    user              messages     200/1h
    user              recipients   1000/1d         stop
    user news         messages     unlimited
    network           messages     60/1m burst 20  reject
    recipient-domain  messages     1/1s            pace
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from opensmtpd.backends.state.steps import Rate
from opensmtpd.errors import ConfigError, nearest
from opensmtpd.mail.client import text
from opensmtpd.mail.limit import rates
from opensmtpd.mail.limit.rows import row
from opensmtpd.mail.limit.stopped import folded
from opensmtpd.table import Patterns, Service
from opensmtpd.table.file import lines

STOPPED_FOR = 86400.0
"""Seconds for which an account is stopped, where the rule does not say."""


class Whose(StrEnum):
    """Those that have a limit: each name of them its own."""

    USER = "user"
    """The user who has authenticated."""
    ADDRESS = "address"
    """The address of a client that is not on this machine."""
    NETWORK = "network"
    """Its network."""
    SENDER = "sender"
    """The address in MAIL FROM."""
    SENDER_DOMAIN = "sender-domain"
    RECIPIENT_DOMAIN = "recipient-domain"


class Unit(StrEnum):
    """The units of a limit."""

    MESSAGES = "messages"
    RECIPIENTS = "recipients"
    BYTES = "bytes"


class Excess(StrEnum):
    """The consequences of more than a limit."""

    DEFER = "defer"
    """450: the client tries again."""
    REJECT = "reject"
    """550."""
    PACE = "pace"
    """The answer to the message waits until it is within the limit."""
    STOP = "stop"
    """550, and all other mail of the user, too, for some time: the account may be stolen."""


class LimitRule(NamedTuple):
    """A line of the file."""

    whose: Whose
    unit: Unit
    written: str
    """The rate, as it stands there; keys have it, so that a new rate begins anew."""
    rate: Rate
    grain: int
    """Units that are counted as one: see ``rates.in_grains``."""
    excess: Excess
    stopped_for: float
    """Seconds for which an account is stopped."""


_SERVICES = {
    Whose.USER: Service.MAILADDR,
    Whose.ADDRESS: Service.NETADDR,
    Whose.NETWORK: Service.NETADDR,
    Whose.SENDER: Service.MAILADDR,
    Whose.SENDER_DOMAIN: Service.DOMAIN,
    Whose.RECIPIENT_DOMAIN: Service.DOMAIN,
}
UNLIMITED = "unlimited"


class _OfOne:
    """The rules for one pair of ``Whose`` and ``Unit``."""

    def __init__(self, whose: Whose) -> None:
        self.of_all: list[LimitRule] = []
        self.of_rows: dict[str, list[LimitRule]] = {}
        """Those of a name, none where it is unlimited."""
        self._service = _SERVICES[whose]
        self._of_users = whose is Whose.USER
        # Of users, those with a tag are others.
        self._rows = Patterns(self._service, (), "" if self._of_users else "+")

    def add(self, name: str, rule: LimitRule | None) -> None:
        known = self._of(name, rule) if name else self.of_all
        if rule is None:
            return
        if any(each.written == rule.written for each in known):  # it would be counted twice
            raise ValueError(f"a limit of {rule.written} stands there already")
        known.append(rule)

    def _of(self, name: str, rule: LimitRule | None) -> list[LimitRule]:
        found = row(self._service, folded(name) if self._of_users else name)
        if found not in self.of_rows:
            # A user without a domain is not the one of that name at any domain: it is no pattern.
            whole = self._of_users and "@" not in found
            rows = Patterns(self._service, ()) if whole else self._rows
            rows.add(found)
            if rows.unreadable:
                raise ValueError(f"{name!r}: {rows.reason}")
        elif rule is None or not self.of_rows[found]:
            raise ValueError(f"{name!r} has another line, and is unlimited by one of them")
        return self.of_rows.setdefault(found, [])

    def find(self, name: str) -> list[LimitRule]:
        if self._of_users and name in self.of_rows:
            return self.of_rows[name]
        found = self._rows.find(name) if self.of_rows else None
        return self.of_all if found is None else self.of_rows[found]


class LimitRules:
    """The rules of a file."""

    def __init__(self, path: str) -> None:
        """Read a file. Raises ConfigError for one that cannot be read, and for a bad line."""
        self._rules: dict[tuple[Whose, Unit], _OfOne] = {}
        self.all: list[LimitRule] = []
        for line, words in _rows(path):
            try:
                self._add(words)
            except ValueError as error:
                remedy = "write: WHOSE [NAME] messages|recipients|bytes RATE [burst N] [ACTION]"
                raise ConfigError(str(error), path=path, line=line, remedy=remedy) from None
        if not self.all:
            raise ConfigError(
                "there is no limit", path=path, remedy="write one, or no filter-limit"
            )

    def _add(self, words: list[str]) -> None:
        whose = Whose(_word(words, [*Whose], "for whom"))
        name = "" if not words or words[0] in [*Unit] else words.pop(0)
        unit = Unit(_word(words, [*Unit], "of what"))
        written = words.pop(0) if words else ""
        rules = self._rules.setdefault((whose, unit), _OfOne(whose))
        if written == UNLIMITED:
            if words or not name:
                raise ValueError("unlimited is for one name, and the last word of its line")
            rules.add(name, None)
            return
        rule = _rule(whose, unit, written, words)
        rules.add(name, rule)
        self.all.append(rule)

    def find(self, whose: Whose, unit: Unit, name: str) -> list[LimitRule]:
        """Return the rules for a name: those of its own lines, or else those of all.

        A network is found by the address of the client.
        """
        found = self._rules.get((whose, unit))
        return found.find(name) if found is not None else []

    def stops(self, user: str) -> bool:
        """Return whether a rule stops this user."""
        found = (each for unit in Unit for each in self.find(Whose.USER, unit, user))
        return any(each.excess is Excess.STOP for each in found)


def _rule(whose: Whose, unit: Unit, written: str, words: list[str]) -> LimitRule:
    burst = None
    if words[:1] == ["burst"]:
        burst = rates.number(words[1] if len(words) > 1 else "")
        written += f" burst {burst}"
        del words[:2]
    excess = Excess(_word(words, [*Excess], "what follows")) if words else Excess.DEFER
    seconds = STOPPED_FOR
    if excess is Excess.STOP and words:
        seconds = rates.duration(words.pop(0))
    if words:
        raise ValueError(f"{words[0]!r} has no meaning there")
    if excess is Excess.STOP and whose is not Whose.USER:
        raise ValueError("stop is for users")
    if excess is Excess.PACE and burst is None:
        burst = 1
    found, grain = rates.rate(written.partition(" ")[0], burst), 1
    if unit is Unit.BYTES:
        found, grain = rates.in_grains(found)
    return LimitRule(whose, unit, written, found, grain, excess, seconds)


def _word(words: list[str], known: list[str], which: str) -> str:
    """Take the next word, one of those that are known. Raises ValueError."""
    word = words.pop(0) if words else ""
    if word in known:
        return word
    near = nearest(word, known)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
    raise ValueError(f"{word!r} does not say {which}: {hint}" if word else f"nothing says {which}")


def _rows(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the words of each line that has any, and its number."""
    for number, line in enumerate(lines(path), 1):
        words = text(line).partition("#")[0].split()
        if words:
            yield number, words
