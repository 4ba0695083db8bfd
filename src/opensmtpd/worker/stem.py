"""The stem: the process that loads what workers need, and that they and its heir are forked from.

It never sees a request. It takes its orders from the front: LOAD data, fork a WORKER or another
STEM, which gets the descriptor that comes with the order, and KILL a process. When the front is
gone, it ends.
"""

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from opensmtpd import files, log
from opensmtpd._runtime import sandbox
from opensmtpd._title import set_title
from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs, no_sandbox, sandboxed
from opensmtpd.worker import process
from opensmtpd.worker.frames import LOADED_MAX, FrameBuffer, pack
from opensmtpd.worker.stem_orders import BEGIN, KILL, LOAD, WORKER
from opensmtpd.worker.worker import FAILURE, FORKED, HELLO, KILLED, VALUE, Link, Worker, described

DESCRIPTORS = 4
"""Descriptors that are taken with one read, at most."""


def main(control: int, worker: str) -> NoReturn:
    """Be the first stem, with the class ``worker``.

    ``control`` is the descriptor that it inherits; no other is kept.
    """
    os.closerange(3, control)
    os.closerange(control + 1, 1 << 16)
    process.outlive_signals()
    process.end_with(os.getppid())
    stem = Stem(socket.socket(fileno=control))
    stem.import_worker(worker)
    gc.freeze()  # what was imported stays: no collection need look at it
    gc.enable()  # off since the start of the process
    _end_after(stem.serve)


class Stem:
    """Loads the worker's class and its data, and forks."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._frames = FrameBuffer()
        self._descriptors: deque[int] = deque()
        """Descriptors that came, in the order of the orders that they belong to."""
        self._worker = Worker()
        self._title = ""
        self._fault: Exception | None = None
        """The failure to import the worker's class."""
        self._front = 0
        """The process id of the front."""
        self._confined = False

    def serve(self) -> None:
        """Obey until the front is gone. Raises EOFError."""
        while True:
            data, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, DESCRIPTORS)
            self._descriptors += descriptors
            if not data:
                raise EOFError
            for order, *arguments in self._frames.feed(data):
                self.obey(order, arguments)

    def obey(self, order: int, arguments: list[Any]) -> None:
        """Carry out an order of the front's."""
        if order == BEGIN:
            self._begin(*arguments)
        elif order == LOAD:
            self._load(*arguments)
        elif order == KILL:
            # The front waits for it behind our answer only: the number is still that process's.
            (pid,) = arguments
            if pid > 0:  # other numbers stand for groups of processes
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._control.sendall(pack([KILLED, 0, pid]))
        else:
            with socket.socket(fileno=self._descriptors.popleft()) as end:
                pid = self._fork(self._be_worker if order == WORKER else self._be_stem, end)
            self._control.sendall(pack([FORKED, 0, pid]))

    # --- the start ------------------------------------------------------------------------------

    def import_worker(self, name: str) -> None:
        """Import the worker's class ``name``, ``MODULE:CLASS`` or ``/FILE.py:CLASS``.

        The front may still import its own modules meanwhile; it is told of a failure when it has
        the worker load.
        """
        try:
            self._worker = worker_class(name)()
            for module in self._worker.imports:
                with contextlib.suppress(ImportError):  # for ``load`` to tell
                    importlib.import_module(module)
        except Exception as error:
            self._fault = error

    def _begin(self, program: str, syslog: bool, front: int, confined: bool) -> None:
        if not confined:
            no_sandbox()
        if syslog:
            log.use_syslog(program)
        log.limit(time.monotonic)
        self._front = front
        self._title = f"{program}: {self._worker.title}"
        process.guard(self._worker.memory)
        set_title(f"{self._title} (stem)")

    def _load(self, setup: Any) -> None:
        try:
            if self._fault is not None:
                raise self._fault
            loaded = self._worker.load(setup)
            needs = self._needs()
            answer = pack([VALUE, 0, [self._worker.in_order, loaded]], LOADED_MAX)
        except Exception as error:
            self._control.sendall(pack([FAILURE, 0, *described(error)]))
            return
        # The front goes on meanwhile. Its next order, to fork, comes behind all of this.
        self._control.sendall(answer)
        _import_later(self._worker.later)
        self._confine(needs)
        gc.collect()
        gc.freeze()  # so that no collection of a child copies these pages

    def _needs(self) -> Needs | None:
        """Return what this process and its children need. Raises any exception for wrong needs."""
        needs = self._worker.needs
        if needs is None:
            return None
        needs |= self._worker.load_needs | Needs(forks=True, passes=True)
        return sandbox.with_folders(needs)  # it never sees a request, so it may open by name

    def _confine(self, needs: Needs | None) -> None:
        """Take from this process, and from all that it will fork, what none of them needs.

        The front logs what the system cannot take.
        """
        if self._confined or not sandboxed():
            return
        self._confined = True
        if needs is not None:
            files.before_sandbox(None)
        sandbox.restrict(needs)

    # --- children -------------------------------------------------------------------------------

    def _fork(self, be: Callable[[socket.socket], object], end: socket.socket) -> int:
        """Fork a process for ``be(end)`` that is a child of the front's, on Linux.

        So it outlives this stem, and ends with the front. A process between the two ends at once.
        Return the process id, 0 where the system has no process to give.
        """
        try:
            return self._forked(be, end)
        except OSError as error:
            log.log("fork-failed", worker=self._title, error=error)
            return 0

    def _forked(self, be: Callable[[socket.socket], object], end: socket.socket) -> int:
        """Do as ``_fork``. Raises OSError."""
        reading, writing = os.pipe()
        try:
            between = os.fork()
            if not between:
                os.close(reading)
                _end_after(lambda: self._fork_again(be, end, writing))
            os.close(writing)
            writing = -1
            os.waitpid(between, 0)
            return int(os.read(reading, 32) or b"0")
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)

    def _fork_again(
        self, be: Callable[[socket.socket], object], end: socket.socket, to: int
    ) -> None:
        """Be the process between: write the id of its child to the descriptor ``to``, and end."""
        between = os.getpid()
        pid = os.fork()
        if pid:
            os.write(to, b"%d" % pid)
            return
        os.close(to)
        self._close()
        while os.getppid() == between:  # until that one has ended
            time.sleep(0.0002)
        if os.getppid() == self._front:
            process.end_with(self._front)
        be(end)

    def _be_worker(self, end: socket.socket) -> None:
        if not self._worker.threads:
            process.forbid_processes()
        set_title(self._title)
        self._worker.begin()
        if sandboxed() and self._worker.needs is not None:
            sandbox.restrict(self._worker.needs)
        link = Link(end)
        link.hello()
        self._worker.serve(link)

    def _be_stem(self, end: socket.socket) -> None:
        heir = Stem(end)
        heir._worker, heir._title, heir._front = self._worker, self._title, self._front
        heir._confined = self._confined
        end.sendall(pack([HELLO, 0, os.getpid()]))
        heir.serve()

    def _close(self) -> None:
        """Close, in a child, what belongs to its parent."""
        self._control.close()
        for fd in self._descriptors:
            os.close(fd)
        self._descriptors.clear()


def _import_later(modules: Iterable[str]) -> None:
    """Import modules; requests that need one that cannot be imported fail alone."""
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            log.log("import-failed", module=module, error=type(error).__name__)


def _end_after(call: Callable[[], object]) -> NoReturn:
    """Call, in a child, and end it, whatever happens: it must not go on as its parent."""
    status = 1
    try:
        call()
    except (EOFError, BrokenPipeError, ConnectionResetError):  # the front is gone
        status = 0
    except BaseException as error:
        log.log("worker-ended", error=type(error).__name__, at=_place(error))
    finally:
        os._exit(status)


def _place(error: BaseException) -> str:
    """Return the line that raised ``error``."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if step is None:
        return ""
    return f"{os.path.basename(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}"


def worker_class(name: str) -> type[Worker]:
    """Return the class that a pool names. Raises ConfigError for a name that leads to none."""
    place, _, attribute = name.rpartition(":")
    if place.endswith(".py"):  # the program itself, which has no other name than __main__
        from importlib import util  # noqa: PLC0415  few are

        spec = util.spec_from_file_location("opensmtpd_worker_program", place)
        if spec is None or spec.loader is None:
            raise ConfigError(f"{place}: no file of Python")
        module = util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    found = getattr(module, attribute, None)
    if not (isinstance(found, type) and issubclass(found, Worker)):
        raise ConfigError(f"{name} is no worker: derive a class from opensmtpd.worker.Worker")
    return found
