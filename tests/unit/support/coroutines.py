"""A worker that answers some requests when it is asked others."""

import asyncio
import os
import resource
import threading
import time
from typing import Any

from opensmtpd.errors import ConfigError
from opensmtpd.worker.coroutines import CoroutineWorker


def _thread() -> str:
    time.sleep(0.01)  # so that one thread alone does not do for all
    return threading.current_thread().name


class Waiting(CoroutineWorker):
    """Has any number of requests wait."""

    title = "waiting"

    def load(self, setup: Any) -> None:
        self.waiting: list[asyncio.Future[Any]] = []

    async def answer(self, request: Any) -> Any:
        match request:
            case "wait":
                self.waiting.append(asyncio.get_running_loop().create_future())
                return await self.waiting[-1]
            case ["settle", number, value]:
                self.waiting[number].set_result(value)
            case ["threads", count]:
                return await asyncio.gather(*(asyncio.to_thread(_thread) for _ in range(count)))
            case "raise":
                raise ValueError("a secret")
            case "refuse":
                raise ConfigError("not this one")
        made = {
            "count": len(self.waiting),
            "object": object(),
            "large": b"x" * 900_000,
            "too large": b"x" * (2 << 20),
            "pid": os.getpid(),
            "descriptors": list(resource.getrlimit(resource.RLIMIT_NOFILE)),
        }
        return made[request] if isinstance(request, str) and request in made else request


WAITING = f"{__name__}:Waiting"
