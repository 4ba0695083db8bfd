"""The two stems of a crew, as its front sees them: they make processes, and kill them."""

import selectors
import socket
from collections.abc import Iterator

from opensmtpd.log import log
from opensmtpd.worker.ends import GONE, End, StemEnd, WorkerEnd
from opensmtpd.worker.frames import pack
from opensmtpd.worker.stem_orders import KILL, STEM, WORKER
from opensmtpd.worker.worker import FORKED, HELLO, KILLED

PAUSE = 0.5
"""Seconds until a stem is replaced that could not begin."""


class Stems:
    """A stem and its heir. One that dies is replaced by a child of the other."""

    def __init__(self, first: StemEnd, selector: selectors.BaseSelector, owner: object) -> None:
        """``selector`` is given ``owner`` as the data of each."""
        self._selector = selector
        self._owner = owner
        self._stems: list[StemEnd] = []
        self._dying: dict[int, StemEnd] = {}
        """The processes that a stem was told to kill, by process id.

        Until the stem says that it has, nobody waits for such a process: another would get its id.
        """
        self.pause: float | None = None
        """The time until which none is replaced."""
        self._add(first)

    def __iter__(self) -> Iterator[StemEnd]:
        return iter(self._stems)

    @property
    def whole(self) -> bool:
        """Return whether there are a stem and its heir, and nothing is to come from them."""
        stems = self._stems
        return len(stems) == 2 and not self._dying and stems[0].pid > 0 and stems[1].pid > 0

    def __len__(self) -> int:
        return len(self._stems)

    def _add(self, stem: StemEnd) -> None:
        self._stems.append(stem)
        self._selector.register(stem, selectors.EVENT_READ, self._owner)

    def take(self, stem: StemEnd, kind: object, pid: object) -> None:
        """Take a frame of a stem's. Raises ValueError, TypeError or LookupError for nonsense."""
        if not isinstance(pid, int):
            raise TypeError
        if kind == HELLO:
            stem.serves, stem.pid = True, pid
        elif kind == FORKED:
            end = stem.asked.popleft()
            end.pid = pid
            if end.fileno() < 0:  # it was given up before its id was known
                GONE.append(pid)
        elif kind == KILLED:
            del self._dying[pid]
            GONE.append(pid)
        else:
            raise ValueError

    def repair(self, now: float) -> None:
        """Have a stem without an heir make one."""
        if self.pause is not None and self.pause <= now:
            self.pause = None
        if len(self._stems) == 1 and self.pause is None:
            heir = _ordered(self._stems[0])
            if heir is None:
                self.pause = now + PAUSE
            else:
                self._add(heir)

    def lose(self, stem: StemEnd, now: float) -> None:
        """Take note that a stem is gone."""
        self._stems.remove(stem)
        self.drop(stem)
        if not stem.serves:  # it could not begin
            self.pause = now + PAUSE
        if not self._stems:
            log("stems-lost", remedy="restart smtpd, or no worker can be replaced")

    def pass_over(self) -> None:
        """Give up the first stem, which does not do what it was told, if there is another."""
        if len(self._stems) > 1:
            stem = self._stems.pop(0)
            log("stem-late", pid=stem.pid or None)
            self.drop(stem)

    def fork(self, worker: WorkerEnd, theirs: socket.socket) -> bool:
        """Have a stem fork a worker, which is to have ``theirs``; return whether one was told."""
        return any(stem.fork(WORKER, worker, theirs) for stem in self._stems)

    def kill(self, worker: WorkerEnd) -> None:
        """Have a stem kill a worker."""
        if worker.pid:
            self._kill(worker.pid)

    def _kill(self, pid: int) -> bool:
        """Have the first stem that can be told kill a process; return whether one was told."""
        for stem in self._stems:
            if stem.order(pack([KILL, pid])):
                self._dying[pid] = stem
                return True
        return False

    def drop(self, end: End) -> None:
        """Close the end of a process, and wait for the process unless a stem may still kill it.

        What a stem was told to kill is another's task then: it may have been stopped before it did.
        """
        self._selector.unregister(end)
        end.close()
        if end.pid not in self._dying:
            GONE.append(end.pid)
        for pid in [pid for pid, stem in self._dying.items() if stem is end]:
            del self._dying[pid]
            if not self._kill(pid):
                GONE.append(pid)

    def copy(self) -> StemEnd | None:
        """Return the end of a new stem, a copy that belongs to no crew; None where none is made.

        A stem that is stopped takes the order, and only time shows it; the next copy is another's.
        """
        stems = sorted(self._stems, key=lambda each: len(each.asked))
        return next(filter(None, map(_ordered, stems)), None)

    def close(self) -> None:
        """End all of them."""
        for stem in self._stems:
            self.drop(stem)
        self._stems.clear()


def _ordered(stem: StemEnd) -> StemEnd | None:
    """Have a stem fork another; return the front's end of it, None where it cannot be told."""
    try:
        ours, theirs = socket.socketpair()
    except OSError:  # no descriptor is free
        return None
    copy = StemEnd(ours)
    with theirs:
        if stem.fork(STEM, copy, theirs):
            return copy
    ours.close()
    return None
