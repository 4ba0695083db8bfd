"""An rspamd that answers anyhow, by the dice."""

import json
import socket
from random import Random
from typing import Any

from lab.peers.rspamd.nonsense import CLOSED, SILENCE, Answer, Nonsense, reply, whole

ACTIONS = ("no action", "greylist", "add header", "rewrite subject", "soft reject", "reject", "?")
TEXTS = ("a", "", "a\r\n\tb", "a\nb: c", "\0", "\u00fc", "x" * 3000, "filter-result|x|y|proceed")
NAMES = ("X-A", "Subject", "From", "ARC-Seal", "", "a b", "\u00fc", "X-B:", "Received")


class HostileRspamd(Nonsense):
    """Takes each message, and has a verdict of some kind, something else, garbage or nothing."""

    def __init__(self, dice: Random, port: int) -> None:
        super().__init__(port)
        self._dice = dice

    def serve(self, client: socket.socket) -> None:
        """Read a request and answer it."""
        self.requests.clear()
        self.answer = self._any_answer()
        super().serve(client)

    def _any_answer(self) -> Answer:
        dice = self._dice
        way = dice.random()
        if way < 0.001:
            return SILENCE
        if way < 0.02:
            return CLOSED
        text = reply(json.dumps(self._verdict()).encode())
        if way < 0.04:
            return whole(dice.randbytes(dice.randrange(100)))
        if way < 0.06:
            return whole(text[: dice.randrange(len(text))])
        return whole(text, early=way < 0.08)

    def _verdict(self) -> dict[str, Any]:
        dice = self._dice
        order = dice.choice((None, 0, 1, -1, 1 << 40, "x", 2.5))
        values = [dice.choice(TEXTS), {"value": dice.choice(TEXTS), "order": order}, order]
        fields = {dice.choice(NAMES): dice.choice([*values, values]) for _ in range(3)}
        return {
            "action": dice.choice(ACTIONS),
            "score": dice.choice((0, 7.5, -1e300, "x", None)),
            "required_score": 15.0,
            "subject": dice.choice(TEXTS),
            "messages": dice.choice(({}, {"smtp_message": dice.choice(TEXTS)}, "x")),
            "symbols": {name: {"score": 1.5} for name in dice.sample(NAMES, 3)},
            "dkim-signature": dice.choice((None, dice.choice(TEXTS), list(TEXTS))),
            "milter": {
                "add_headers": fields,
                "remove_headers": {dice.choice(NAMES): order, "X-Spam": 0},
                "no_action": dice.random() < 0.1,
            },
        }
