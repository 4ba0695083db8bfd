"""Wait for descriptors, also where the limit of descriptors is below those that are waited for."""

import errno
import select


class Poll:
    """A ``select.poll`` that goes on where the kernel refuses it.

    poll(2) fails with EINVAL where more descriptors are given than the process may have, which
    somebody may lower while it runs (prlimit(1)). select(2) does not look at that limit; it takes
    no descriptor from 1,024 on, so it is no more than the way out.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._wanted: dict[int, int] = {}

    def register(self, fd: int, events: int) -> None:
        """Wait for these events of a descriptor from now on."""
        self._poll.register(fd, events)
        self._wanted[fd] = events

    def unregister(self, fd: int) -> None:
        """Wait for a descriptor no more."""
        self._poll.unregister(fd)
        del self._wanted[fd]

    def poll(self, milliseconds: float | None) -> list[tuple[int, int]]:
        """Return the descriptors that are ready, with their events; none when time is over."""
        try:
            return self._poll.poll(milliseconds)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return self._select(None if milliseconds is None else milliseconds / 1000)

    def _select(self, seconds: float | None) -> list[tuple[int, int]]:
        reads = [fd for fd, events in self._wanted.items() if events & select.POLLIN]
        writes = [fd for fd, events in self._wanted.items() if events & select.POLLOUT]
        readable, writable, _ = select.select(reads, writes, [], seconds)
        ready = dict.fromkeys(readable, select.POLLIN)
        for fd in writable:
            ready[fd] = ready.get(fd, 0) | select.POLLOUT
        return list(ready.items())
