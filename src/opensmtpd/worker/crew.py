"""The processes that have loaded the same data: two stems, and the workers that answer requests."""

import selectors
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from operator import attrgetter

from opensmtpd._counters.counts import count
from opensmtpd.errors import ProtocolError
from opensmtpd.log import log
from opensmtpd.worker.ends import End, StemEnd, WorkerEnd
from opensmtpd.worker.open_request import DEATHS_MAX, OpenRequest, Settlement
from opensmtpd.worker.stems import PAUSE, Stems
from opensmtpd.worker.worker import FAILURE, HELLO, VALUE

WINDOW = 8
"""Requests that a worker has at a time, at most: the others wait for one that is free."""
MADE_WITHIN = 0.4
"""Seconds after which a stem that has not made a worker is passed over for its heir."""
MADE_WITHIN_FIRST = 3.2
"""The same until a worker of a crew serves: its stem has loaded just now, and confines itself."""
MADE_WITHIN_MAX = 6.4
"""The same where those before it were late, too: the machine may be at fault, so that each stem is
given twice the time of the last one, until one makes a worker."""
DEATHS = 5
"""Deaths within a second that are repaired at once; later ones wait for PAUSE."""


class Crew:
    """Stems, workers, and the requests that they have not answered.

    A worker or a stem that dies is replaced by a child of a stem, without exec. It is driven by the
    pool, whose ``selector`` it uses; nothing here waits.
    """

    def __init__(
        self,
        stem: StemEnd,
        selector: selectors.BaseSelector,
        count: int,
        *,
        in_order: bool,
        window: int = WINDOW,
    ) -> None:
        self._selector = selector
        self._count = count
        self._in_order = in_order
        self._window = window
        self.stems = Stems(stem, selector, self)
        self.workers: list[WorkerEnd] = []
        self._waiting: deque[OpenRequest] = deque()
        self._open: OrderedDict[int, OpenRequest] = OrderedDict()
        """All requests that have no end yet; the first is late first."""
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._pause: float | None = None
        """The time until which no worker is replaced."""
        self._made_within = MADE_WITHIN_FIRST
        self._late = False
        """True from a request that was late until a worker says that it serves."""
        self.repair(time.monotonic())

    # --- requests -------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Return whether each request has its end, and each process is known by its id."""
        ends = (*self.workers, *self.stems)
        return not self._open and (all(end.pid for end in ends) or not self.stems)

    @property
    def size(self) -> int:
        """Return the number of requests without an end."""
        return len(self._open)

    @property
    def restarting(self) -> bool:
        """Return whether a request was late, and no worker serves yet."""
        return self._late and not any(worker.serves for worker in self.workers)

    @property
    def free(self) -> WorkerEnd | None:
        """Return the worker, if there is one alone, and no process has anything to do."""
        if self._open or self._pause is not None or len(self.workers) != 1:
            return None
        worker = self.workers[0]
        return worker if worker.free and self.stems.whole else None

    def add(self, request: OpenRequest) -> None:
        """Take a request, and send it if a worker is idle."""
        hurried = self._open and request.deadline < next(reversed(self._open.values())).deadline
        self._open[request.number] = request
        if hurried:  # seldom: most have the deadline of their pool
            in_time = sorted(self._open.values(), key=lambda each: each.deadline)
            self._open = OrderedDict((each.number, each) for each in in_time)
        self._waiting.append(request)
        self._hand_out()

    def adopt(self, worker: WorkerEnd, request: OpenRequest) -> None:
        """Take a request that a free worker was sent, and has not answered."""
        self._open[request.number] = worker.requests[request.number] = request
        worker.alone = False

    def _hand_out(self) -> None:
        """Give requests that wait to the workers that have the fewest, and send to idle ones."""
        while self._waiting and self.workers:
            request = self._waiting[0]
            if request.ended:
                self._waiting.popleft()
                continue
            worker = min(self.workers, key=attrgetter("burden"))
            alone = self._in_order and request.deaths > 0  # so that no other is blamed next time
            if worker.burden >= (1 if alone else self._window):
                return
            self._waiting.popleft()
            idle = not worker.requests
            worker.alone = alone
            worker.requests[request.number] = request
            worker.send(request.frame)
            if idle:  # others are sent together, with ``flush`` or behind the next reply
                self._flush(worker)

    def flush(self) -> None:
        """Send the requests that workers have been given."""
        for worker in self.workers:
            self._flush(worker)

    def _flush(self, worker: WorkerEnd) -> None:
        """Send what a worker takes; the selector tells when it takes the rest of it."""
        worker.flush()
        worker.watch(self._selector, self)

    # --- what comes -----------------------------------------------------------------------------

    def receive(self, end: End) -> Iterable[Settlement]:
        """Take the frames of a stem or a worker; return the ends of requests."""
        ends: list[Settlement] = []
        try:
            for frame in end.receive():
                self._take(end, frame, ends)
        except (EOFError, ProtocolError, ValueError, TypeError, LookupError) as error:
            if not isinstance(error, EOFError):  # garbage: such a process is of no use
                log("worker-garbage", error=type(error).__name__)
                if isinstance(end, WorkerEnd):
                    self.stems.kill(end)
            ends += self._lose(end, time.monotonic())
        self._hand_out()
        self.flush()
        return ends

    def _take(self, end: End, frame: object, ends: list[Settlement]) -> None:
        """Take a frame. Raises ValueError, TypeError or LookupError for one that cannot be."""
        if not isinstance(frame, list):
            raise TypeError
        kind, number, *rest = frame
        if isinstance(end, StemEnd):
            (pid,) = rest
            self.stems.take(end, kind, pid)
        elif not isinstance(end, WorkerEnd):
            raise ValueError
        elif kind == HELLO:
            if end.serves:  # or one could keep the front busy without a request
                raise ValueError
            end.serves, self._late = True, False
            self._made_within = MADE_WITHIN
        else:
            request = end.requests[number]
            if kind == VALUE:
                (value,) = rest
                settle = request.settled(value)
            elif kind == FAILURE:
                name, text = rest
                if not (isinstance(name, str) and isinstance(text, str)):
                    raise TypeError
                settle = request.failed(text or name, name)
            else:
                raise ValueError
            del end.requests[number], self._open[number]
            ends.append(settle)

    def expire(self, now: float) -> Iterator[Settlement]:
        """Kill the workers whose requests are late, and replace what is missing."""
        while self._open and (first := next(iter(self._open.values()))).deadline <= now:
            del self._open[first.number]
            self._late = True
            count("opensmtpd_plugin_worker_deadlines_missed")
            yield first.failed("no answer in time")
            for worker in [each for each in self.workers if first.number in each.requests]:
                del worker.requests[first.number]
                log("worker-late", pid=worker.pid or None)
                self.stems.kill(worker)
                yield from self._lose(worker, now, blame=False)
        if self._pause is not None and self._pause <= now:
            self._pause = None
        self._pass_over(now)
        self.repair(now)
        self._hand_out()
        self.flush()

    def next_deadline(self) -> float | None:
        """Return the time when ``expire`` is to be called, None for never."""
        # Not the property ``made``: each turn of the loop asks twice, and it would cost the most.
        times = [w.asked + self._made_within for w in self.workers if not (w.pid or w.serves)]
        if self._open:
            times.append(next(iter(self._open.values())).deadline)
        if self._pause is not None:
            times.append(self._pause)
        if self.stems.pause is not None:
            times.append(self.stems.pause)
        return min(times) if times else None

    # --- deaths and repairs ---------------------------------------------------------------------

    def _lose(self, end: End, now: float, *, blame: bool = True) -> list[Settlement]:
        """Take note that a process is gone: its requests are asked once more.

        ``blame`` says that a request may have killed it, and not we.
        """
        ends: list[Settlement] = []
        if isinstance(end, StemEnd):
            if end in self.stems:
                count("opensmtpd_plugin_worker_restarts")
                self.stems.lose(end, now)
        elif isinstance(end, WorkerEnd) and end in self.workers:
            count("opensmtpd_plugin_worker_restarts")
            self.workers.remove(end)
            self.stems.drop(end)
            ends = self._ask_again(end, blame=blame)
            self._deaths.append(now)
            if len(self._deaths) == DEATHS and now - self._deaths[0] < 1.0:
                self._pause = now + PAUSE
        self.repair(now)
        return ends

    def _ask_again(self, worker: WorkerEnd, *, blame: bool) -> list[Settlement]:
        """Have the requests of a dead worker wait again, but for those that two have died of."""
        ends = []
        requests = list(worker.requests.values())
        for request in requests:
            request.deaths += blame  # not of the first alone: a reply to it may have been lost
            if request.deaths >= DEATHS_MAX:
                del self._open[request.number]
                ends.append(request.failed("a worker died of this request, twice"))
        self._waiting.extendleft(each for each in reversed(requests) if not each.ended)
        return ends

    def repair(self, now: float) -> None:
        """Replace the stems and workers that are missing, unless too many died just now."""
        self.stems.repair(now)
        while self.stems and self._pause is None and len(self.workers) < self._count:
            if not self._add_worker(now):
                self._pause = now + PAUSE

    def _pass_over(self, now: float) -> None:
        """Ask the heir where a stem has not made a worker in time: it may be stopped."""
        late = [each for each in self.workers if not each.made]
        late = [each for each in late if each.asked + self._made_within <= now]
        if not late:
            return
        self._made_within = min(2 * self._made_within, MADE_WITHIN_MAX)
        self.stems.pass_over()
        for worker in late:
            self.workers.remove(worker)
            self.stems.drop(worker)
            self._ask_again(worker, blame=False)

    def replace(self, now: float) -> Iterator[Settlement]:
        """Kill all workers: others take their place, and are asked again."""
        for worker in [each for each in self.workers if each.made]:
            self.stems.kill(worker)
            yield from self._lose(worker, now, blame=False)
        self._hand_out()
        self.flush()

    def _add_worker(self, now: float) -> bool:
        """Have a stem fork a worker; return whether it could be asked."""
        try:
            ours, theirs = socket.socketpair()
        except OSError:  # no descriptor is free: later there may be one
            return False
        worker = WorkerEnd(ours, now)
        with theirs:
            if not self.stems.fork(worker, theirs):
                ours.close()
                return False
        self.workers.append(worker)
        self._selector.register(worker, selectors.EVENT_READ, self)
        return True

    def close(self) -> list[Settlement]:
        """End all processes; return the ends of requests, which fail."""
        for worker in self.workers:
            self.stems.drop(worker)
        self.workers.clear()
        self.stems.close()
        ends = [request.failed("the workers were ended") for request in self._open.values()]
        self._open.clear()
        self._waiting.clear()
        return ends
