"""A worker with faults, to test a plugin's conduct when its worker dies, hangs, or says nonsense.

::

    worker.Pool(Faulty, ["my_filter:Hash", {"2": "die"}, setup])

is ``worker.Pool("my_filter:Hash", setup)`` whose second request kills the worker.
"""

import os
import time
from typing import Any

from opensmtpd.errors import ConfigError
from opensmtpd.worker import Link, Worker
from opensmtpd.worker.stem import worker_class

FAULTS = ("die", "hang", "garbage", "slow", "stray")
SLOW = 0.3
"""Seconds that a slow request takes longer."""


class Faulty(Worker):
    """Another worker, with a fault at some of its requests.

    Its setup is a list: the other's ``MODULE:CLASS``; a dict of the faults, by the number of the
    request as str, counted from 1 in each process, or "all"; and the other's setup. Faults:
    ``die`` (exit without a reply), ``hang`` (no reply ever), ``garbage`` (bytes that are no
    frame), ``slow`` (the reply comes late), ``stray`` (a reply to a question that nobody asked).
    """

    title = "faulty"
    memory = None

    def load(self, setup: Any) -> Any:
        """Load the other worker.

        Raises ConfigError for a fault that is none, and for a worker with a loop of its own.
        """
        name, self.faults, theirs = setup
        for fault in self.faults.values():
            if fault not in FAULTS:
                raise ConfigError(f"no such fault: {fault}", remedy=f"one of {', '.join(FAULTS)}")
        self.worker = worker_class(name)()
        if type(self.worker).serve is not Worker.serve:
            raise ConfigError(f"{name} has a loop of its own, which knows no faults")
        self.in_order = self.worker.in_order
        return self.worker.load(theirs)

    def begin(self) -> None:
        """Begin as the other worker."""
        self.worker.begin()

    def serve(self, link: Link) -> None:
        """Answer requests as the other worker does, but for those with a fault."""
        count = 0
        while True:
            for number, request in link.receive():
                count += 1
                fault = self.faults.get(str(count)) or self.faults.get("all")
                self._misbehave(fault, link)
                try:
                    link.reply(number, self.worker.handle(request))
                except Exception as error:
                    link.fail(number, error)
                link.flush()

    def _misbehave(self, fault: str | None, link: Link) -> None:
        if fault == "die":
            os._exit(1)
        elif fault == "hang":
            time.sleep(1e6)
        elif fault == "slow":
            time.sleep(SLOW)
        elif fault == "garbage":
            os.write(link.fileno(), b"\xff" * 64)
        elif fault == "stray":
            link.reply(1 << 40, None)
            link.flush()
