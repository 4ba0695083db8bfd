"""Signals: those that end or stop a worker, and those that must not."""

import signal

from lab.chaos import processes
from lab.chaos.faults import Strikes, fault
from lab.chaos.stand import Stand

HARMLESS = ("TERM", "INT", "USR1")


@fault("none", pause=0.5)
def none(stand: Stand) -> Strikes:
    """Let the clients be, for comparison."""
    while True:
        yield 0


@fault("SIGKILL of one worker of each kind")
def kill_workers(stand: Stand) -> Strikes:
    """Kill one of each kind, over and over: which one of its kind is left to the dice."""
    while True:
        workers = processes.workers(stand.server)
        stand.dice.shuffle(workers)
        yield processes.send(processes.one_of_each(workers), signal.SIGKILL)


@fault("SIGKILL of each child, one after another", pause=0.3)
def kill_each(stand: Stand) -> Strikes:
    """Kill all that there are when it begins, and what came into their places, in turn."""
    while True:
        for process in processes.workers(stand.server):
            if not processes.is_last_stem(process):
                yield processes.send([process], signal.SIGKILL)
        yield 0


@fault("SIGKILL of all workers at once", pause=2.0)
def kill_all_workers(stand: Stand) -> Strikes:
    """Kill all but the stems that new ones come from."""
    while True:
        workers = processes.workers(stand.server)
        workers = [process for process in workers if not process.kind.endswith("(stem)")]
        yield processes.send(workers, signal.SIGKILL)


@fault("SIGSTOP of one worker of each kind", pause=3.0)
def stop_workers(stand: Stand) -> Strikes:
    """Stop one of each kind, and let it go on after a while, if it is still there."""
    stopped: list[processes.Process] = []
    try:
        while True:
            workers = processes.workers(stand.server)
            stand.dice.shuffle(workers)
            stopped = processes.one_of_each(workers)
            yield processes.send(stopped, signal.SIGSTOP)
            processes.send(stopped, signal.SIGCONT)
    finally:
        processes.send(stopped, signal.SIGCONT)


@fault("SIGTERM, SIGINT, SIGUSR1 to all of ours")
def harmless(stand: Stand) -> Strikes:
    """Send what must do nothing; smtpd's own processes get nothing."""
    while True:
        for name in HARMLESS:
            yield processes.send(all_of_ours(stand), signal.Signals[f"SIG{name}"])


@fault("SIGHUP to all of ours")
def hang_up(stand: Stand) -> Strikes:
    """Send what makes a front read its files again, and does nothing to a worker."""
    while True:
        yield processes.send(all_of_ours(stand), signal.SIGHUP)


def all_of_ours(stand: Stand) -> list[processes.Process]:
    """Return fronts and workers."""
    return processes.fronts(stand.server) + processes.workers(stand.server)
