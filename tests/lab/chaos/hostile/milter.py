"""A milter that replies anyhow, by the dice."""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from random import Random

from lab.peers.milters import scripted as says
from lab.peers.milters.scripted import Act, ScriptedMilter

TEXTS = (
    b"",
    b"a",
    b" a\r\n\tb",
    b"a\nb: c",
    b"\xff|%%",
    b"x" * 3000,
    b"\n\n",
    b"filter-result|x|y",
)
NAMES = (b"X-A", b"Subject", b"From", b"X-Spam", b"Received", b"", b"a b", b"\xfc", b"X-B:")
CODES = (b"550 5.7.1 no", b"451 4.7.1 later", b"421 4.7.0 bye", b"554-5.7.1 a\r\n554 5.7.1 b%%",
         b"550", b"550 5.7.1 " + b"x" * 3000)  # fmt: skip
FAULTY_CODES = (b"250 2.0.0 yes", b"550 \r\n221 x", b"\xff", b"550 5.7.1 a\0b")
INDICES = (0, 1, 2, 3, 1000, (1 << 31) - 1, 1 << 31)
VERDICTS = (says.ACCEPT, says.REJECT, says.TEMPFAIL, says.DISCARD, says.SKIP, says.CONN_FAIL,
            says.SHUTDOWN)  # fmt: skip
ALL = 0x1FFFFF
"""All that a milter may want of the steps."""
NOT_SENT = 0x100F7F
"""Without those that it does not reply to, for this one replies to all."""
BETWEEN = (says.HEADER, says.EOH, says.BODY)
"""Commands that come often in a message: most of their replies go on, so that many come to the end.
"""


class HostileMilter(ScriptedMilter):
    """Replies to each command with a verdict of some kind, garbage or nothing, or closes."""

    def __init__(self, dice: Random, port: int) -> None:
        super().__init__(port, _Plan(dice))

    def serve(self, client: socket.socket) -> None:
        """Obey one MTA until it goes, and keep nothing of what others said."""
        self.heard.clear()
        super().serve(client)


class _Plan(Mapping[bytes, Act | bytes]):
    """A new reply each time."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __getitem__(self, letter: bytes) -> Act | bytes:
        dice = self._dice
        if letter in (says.MACROS, says.ABORT):
            raise KeyError(letter)
        way = dice.random()
        if way < 0.0002:
            return Act(lambda: ())  # silence
        if way < 0.003:
            return says.CLOSE
        text = self._reply(letter)
        if way < 0.005:
            return dice.randbytes(dice.randrange(100))
        if way < 0.007:
            return Act(lambda: [text[: dice.randrange(len(text))]], then="close")
        if way < 0.009:
            return text + self._modification()
        return says.slowly(text[:50], 0) if way < 0.02 else text

    def _reply(self, letter: bytes) -> bytes:
        dice = self._dice
        if letter == says.OFFER:
            return self._negotiation()
        text = b""
        while letter == says.EOM and dice.random() < 0.7:
            text += self._modification()
        if dice.random() < 0.05:
            text += says.PROGRESS
        if dice.random() < (0.98 if letter in BETWEEN else 0.94):
            return text + says.CONTINUE
        return text + dice.choice(
            [*VERDICTS, says.reply(dice.choice(CODES if dice.random() < 0.98 else FAULTY_CODES))]
        )

    def _negotiation(self) -> bytes:
        dice = self._dice
        if dice.random() < 0.01:
            return says.negotiation(*(dice.getrandbits(32) for _ in range(3)))
        wanted = ALL if dice.random() < 0.02 else NOT_SENT
        steps = dice.choice((0, 0, dice.randrange(ALL + 1) & wanted))
        names = struct.pack("!I", dice.randrange(8)) + says.texts(dice.choice((b"", b"i j {x}")))
        head = says.negotiation(dice.choice((2, 3, 4, 6, 6, 6)), says.ACTIONS, steps)[4:]
        return says.frame(head[:1], head[1:] + names * dice.randrange(3))

    def _modification(self) -> bytes:
        dice = self._dice
        # Most are well-formed, so that a message may get several.
        name = dice.choice(NAMES[:4] if dice.random() < 0.98 else NAMES)
        index = dice.choice(INDICES[:5] if dice.random() < 0.98 else INDICES)
        text = dice.choice(TEXTS)
        makers: tuple[Callable[[], bytes], ...] = (
            lambda: says.add(name, text),
            lambda: says.insert(index, name, text),
            lambda: says.change(index, name, dice.choice((b"", text))),
            lambda: says.body(dice.choice((text, b"\0.\r", b"line\r\n.\r\n"))),
            lambda: says.quarantine(text),
            lambda: says.sender(b"<>"),
            lambda: says.add_recipient(b"<a@example.org>"),
        )
        return dice.choice(makers)()
