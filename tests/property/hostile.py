"""Filters that do everything wrong, by the throw of dice."""

from collections.abc import Callable, Generator
from random import Random
from typing import Any

from opensmtpd.answer import Offload
from opensmtpd.errors import Refused
from opensmtpd.filter import (
    JUNK,
    PROCEED,
    Disconnect,
    EditedMessage,
    Filter,
    HeldMessage,
    Reject,
    Rewrite,
    Session,
    StreamedMessage,
)

REQUESTS = (
    *("connect", "helo", "starttls", "auth", "mail_from", "rcpt_to"),
    *("data", "commit", "rset", "quit", "noop", "help"),
)
REPORTS = [name for name in vars(Filter) if name.startswith("on_") and name[3:] not in REQUESTS]
REPORTS.remove("on_message")


class Dice(Random):
    """Dice with a temper: how often handlers do what they should not, 0 to 1."""

    temper = 0.3

    def foul(self) -> bool:
        """Is it time for something bad?"""
        return self.random() < self.temper


class Pause:
    """An awaitable: the test lets the coroutine that waits for it go on at any time."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def later(dice: Dice, act: Callable[[], Any]) -> Any:
    for _ in range(dice.randrange(3)):
        await Pause()
    return act()


async def never() -> None:
    while True:
        await Pause()


def explode(error: BaseException) -> Any:
    raise error


ERRORS: list[BaseException] = [ValueError("\xfc\n|"), KeyError(b"\xff"), OSError(5, "I/O")]
ERRORS.append(SystemExit(3))
NONSENSE = [None, 42, b"proceed", "junk", [b"x"], JUNK, Rewrite(b"x"), object, PROCEED]
REFUSALS = [Reject(550, "5.7.1 No"), Reject(421, "4.7.0 Later"), Disconnect(550, "5.7.1 Go")]


def anyhow(dice: Dice, good: Callable[[], Any]) -> Any:
    """Answer with ``good`` or with nonsense; at once, later, from a thread, or never."""
    act = good
    if dice.foul():
        nonsense, error = dice.choice(NONSENSE), dice.choice(ERRORS)
        act = dice.choice([lambda: nonsense, lambda: explode(error)])
    way = dice.random()
    if way < 0.6:
        return act()
    if way < 0.8:
        return later(dice, act)
    return never() if dice.foul() and dice.foul() else Offload(act)


def decision(dice: Dice) -> Any:
    if dice.foul():
        return dice.choice([*REFUSALS, Rewrite(b"not an address")])
    return dice.choice([PROCEED, PROCEED, PROCEED, JUNK, Rewrite(b"new@example.org")])


LINES = [b"X-New: yes", b"", b".", b"..", b"\xff\r|", b"x" * 2000]
BAD_LINES = [b"a\nb", b"a\0b", "text", None, 7, b"y" * 70000]


def some_lines(dice: Dice) -> list[Any]:
    lines: list[Any] = dice.choices(LINES, k=dice.randrange(4))
    if dice.foul():
        lines.append(dice.choice(BAD_LINES))
    return lines


def stumble(dice: Dice) -> None:
    """Once in a while, fail."""
    if dice.random() < 0.1 and dice.foul():
        raise dice.choice(ERRORS)
    if dice.random() < 0.1 and dice.foul():
        if dice.foul():
            raise Refused(Disconnect(421, "4.6.0 No"))
        raise Refused(Reject(550, "5.6.0 No"))


class HostileHeld(HeldMessage):
    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def header(self, lines: list[bytes]) -> None:
        stumble(self.dice)

    def body(self, lines: list[bytes]) -> None:
        stumble(self.dice)

    def end(self) -> Any:
        return anyhow(self.dice, lambda: some_lines(self.dice))


class HostileEdited(EditedMessage):
    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def header(self, lines: list[bytes]) -> None:
        stumble(self.dice)

    def body(self, lines: list[bytes]) -> None:
        stumble(self.dice)
        if self.dice.foul():
            self.edit()

    def edit(self) -> None:
        dice = self.dice
        fields = self.fields
        for _ in range(dice.randrange(4)):
            value: Any = dice.choice([b"x", b"x\n y", [b"", b"\ty"], *some_lines(dice)])
            name: Any = dice.choice([b"X", b".X", b"x y", b"", "X"]) if dice.foul() else b"X"
            acts: list[Callable[[], object]] = [
                lambda: self.insert(dice.randrange(-1, 4), name, value),  # noqa: B023  called here
                lambda: self.replace(dice.choice(fields), value),  # noqa: B023
                lambda: self.remove(dice.choice(fields)),
                lambda: self.replace_body(some_lines(dice)),
                lambda: self.append_body(some_lines(dice)),
            ]
            dice.choice(acts)()

    def end(self) -> Any:
        return anyhow(self.dice, self.edit)


class HostileStreamed(StreamedMessage):
    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def header(self, lines: list[bytes]) -> Any:
        return self.body(lines)

    def body(self, lines: list[bytes]) -> Any:
        stumble(self.dice)
        thrown = self.dice.random()
        if thrown < 0.6:
            return lines
        return self.dice.choice([None, 3, b"line"]) if self.dice.foul() else some_lines(self.dice)

    def end(self) -> Any:
        return anyhow(self.dice, lambda: some_lines(self.dice))


class Hostile(Filter):
    """Overrides everything, and answers anyhow."""

    uses = ("rdns", "fcrdns", "source", "identity", "tls", "username", "sender", "recipients")

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.edited: dict[str, list[bool]] = {}
        """For each message of a session: may its lines be others than those that came?"""

    def on_message(self, session: Session) -> Any:
        messages = self.edited.setdefault(session.id, [])
        messages.append(False)
        stumble(self.dice)
        thrown = self.dice.random()
        if thrown < 0.2:
            return None
        if thrown < 0.5:
            return HostileHeld(self.dice)
        if thrown > 0.9 and self.dice.foul():
            return self.dice.choice([5, b"", object])
        messages[-1] = True
        return HostileEdited(self.dice) if thrown < 0.7 else HostileStreamed(self.dice)


def _asked(self: Hostile, session: object, request: object) -> Any:
    stumble(self.dice)
    return anyhow(self.dice, lambda: decision(self.dice))


def _told(self: Hostile, session: object, report: object) -> Any:
    stumble(self.dice)
    return anyhow(self.dice, lambda: None) if self.dice.random() < 0.05 else None


for name in REQUESTS:
    setattr(Hostile, f"on_{name}", _asked)
for name in REPORTS:
    setattr(Hostile, name, _told)
