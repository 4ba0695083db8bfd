"""The steps, on a server: the names of keys there, and bytes that nobody else has put."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from opensmtpd.backends.redis.link import RedisLink
from opensmtpd.backends.redis.resp import RespFailure, pack
from opensmtpd.backends.redis.script import RedisScript
from opensmtpd.backends.state.steps import FORGET, GET, KINDS, PUT
from opensmtpd.backends.state.valkey.address import SharedPlace
from opensmtpd.backends.state.valkey.scripts import scripts
from opensmtpd.errors import ServerLost

SEAL = hashlib.sha256().digest_size


class ValkeyStore:
    """Takes steps within a time. Methods raise ServerLost, ServerLate; then they may be taken.

    An error that the server answers with is ServerLost, too: no step of ours has one of its own.
    """

    def __init__(
        self, address: SharedPlace, steps: Mapping[int, RedisScript] | None = None
    ) -> None:
        """Raises ConfigError for certificates that cannot be read."""
        self._address = address
        self._scripts = scripts() if steps is None else steps
        self.link = RedisLink(address.place)
        self._open = False
        self.refused = 0
        """Values that had another seal than ours."""

    def take(self, until: float, kind: int, key: bytes, *arguments: Any) -> Any:
        """Take a step, as ``steps`` has them, on an open connection, or on a new one.

        One that the server has closed meanwhile is replaced, once.
        """
        if self._open:
            try:
                return self._taken(until, kind, key, *arguments)
            except ServerLost:
                self.close()
        self.link.open(until)
        self._open = True
        return self._taken(until, kind, key, *arguments)

    def close(self) -> None:
        """Close the connection; the next step opens it anew."""
        self._open = False
        self.link.close()

    def _taken(self, until: float, kind: int, key: bytes, *arguments: Any) -> Any:
        if kind == FORGET:
            return self._forget(until, key)
        name = self._name(KINDS[kind], key)
        if kind == PUT:
            value, seconds = arguments
            self._run(until, kind, name, self._seal(name, value) + value, b"%d" % seconds)
            return True
        reply = self._run(until, kind, name, *(b"%d" % each for each in arguments))
        return self._unsealed(name, reply) if kind == GET else reply

    def _run(self, until: float, kind: int, name: bytes, *arguments: bytes) -> Any:
        return _answer(self._scripts[kind].run(self.link, [name], arguments, until))

    def _forget(self, until: float, key: bytes) -> bool:
        names = [self._name(kind, key) for kind in sorted(set(KINDS.values()))]
        [reply] = self.link.exchange(pack([b"DEL", *names]), 1, until)
        _answer(reply)
        return True

    def _name(self, kind: bytes, key: bytes) -> bytes:
        address = self._address
        if address.hashed:
            key = hmac.new(address.secret, key, hashlib.sha256).hexdigest().encode()
        return address.prefix + kind + key

    def _seal(self, name: bytes, value: bytes) -> bytes:
        """Return what tells our values from others: with a secret, nobody else can make it."""
        data = b"%d:%b%b" % (len(name), name, value)
        return hmac.new(self._address.secret, data, hashlib.sha256).digest()

    def _unsealed(self, name: bytes, reply: Any) -> Any:
        """Return the reply to GET without its seal; None for a value with another one."""
        if reply is None:
            return None
        sealed, left = reply
        if not isinstance(sealed, bytes):
            raise ServerLost("it answers nonsense")
        value = sealed[SEAL:]
        if hmac.compare_digest(sealed[:SEAL], self._seal(name, value)):
            return [value, left]
        self.refused += 1
        return None


def _answer(reply: Any) -> Any:
    if isinstance(reply, RespFailure):
        raise ServerLost(f"it refuses a step: {reply.code}")
    return reply
