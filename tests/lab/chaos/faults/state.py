"""The files of what filters know of clients: they break, and their folder takes nothing."""

import os
import shutil
import signal
from contextlib import suppress

from lab.chaos import processes
from lab.chaos.faults import Strikes, fault
from lab.chaos.stand import Stand

KINDS = ("filter-limit: state", "filter-greylist: state")


@fault("states of filters are overwritten, cut and removed", pause=0.3)
def spoil(stand: Stand) -> Strikes:
    """Write into the files and those beside them, cut them, and take them away."""
    while True:
        for act in (overwrite, cut, remove):
            for file in stand.states.iterdir():
                with suppress(FileNotFoundError):
                    act(stand, str(file))
            yield 1


def overwrite(stand: Stand, path: str) -> None:
    """Write anything into a file that is there."""
    with open(path, "r+b") as file:
        file.write(stand.dice.randbytes(20_000))


def cut(stand: Stand, path: str) -> None:
    """Leave a part of a file."""
    os.truncate(path, stand.dice.choice((0, 100, 5000)))


def remove(stand: Stand, path: str) -> None:
    """Take a file away."""
    os.unlink(path)


@fault("states of filters cannot be written", pause=1.0)
def forbid(stand: Stand) -> Strikes:
    """Take the folder away from the filters, and kill the processes that have a file open."""
    folder = stand.states
    owner = folder.stat()
    try:
        while True:
            os.chown(folder, 0, 0)
            folder.chmod(0o700)
            workers = processes.workers(stand.server)
            processes.send([each for each in workers if each.kind in KINDS], signal.SIGKILL)
            yield 1
            shutil.chown(folder, owner.st_uid, owner.st_gid)
            yield 0
    finally:
        shutil.chown(folder, owner.st_uid, owner.st_gid)
        folder.chmod(owner.st_mode & 0o777)
