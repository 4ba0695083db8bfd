"""Lua that a server runs as one atomic step."""

import hashlib
from collections.abc import Sequence

from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.resp import RespFailure, RespReply, pack


class RedisScript:
    """A script. The server keeps its text, and is sent it again after a restart only."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        self._name = hashlib.sha1(self._text, usedforsecurity=False).hexdigest().encode()

    def run(
        self, link: RedisLink, keys: Sequence[bytes], arguments: Sequence[bytes], until: float
    ) -> RespReply:
        """Return the reply, which is a RespFailure where the script fails.

        Raises ServerLost, ServerLate.
        """
        operands = [b"%d" % len(keys), *keys, *arguments]
        [reply] = link.exchange(pack([b"EVALSHA", self._name, *operands]), 1, until)
        if isinstance(reply, RespFailure) and reply.code == "NOSCRIPT":
            [reply] = link.exchange(pack([b"EVAL", self._text, *operands]), 1, until)
        return reply
