"""The sandbox of Linux: Landlock, seccomp, and what prctl(2) takes away. None needs a privilege."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opensmtpd._runtime.sandbox import landlock, seccomp
from opensmtpd._runtime.sandbox.libc import call, library
from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs

SET_PDEATHSIG, SET_DUMPABLE, SET_NO_NEW_PRIVS = 1, 4, 38
SIGKILL = 9


def confine(needs: Needs | None) -> list[str]:
    """Take what ``needs`` does not name from this process, and return what could not be taken.

    A process that is not dumpable leaves no core, and no process of its user can trace it or read
    its memory; its files in /proc are root's.
    """
    prctl = library().prctl
    call(prctl, SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if needs is None:
        return []
    call(prctl, SET_DUMPABLE, 0, 0, 0, 0)
    library().tzset()  # reads the time zone, which lies in no folder that is needed
    missing: list[str] = []
    restrictions = []
    for part in (landlock, seccomp):  # seccomp leaves nothing of what Landlock calls
        with _noted(missing):
            restrictions.append(part.prepared(needs))
    for restrict in restrictions:  # when all are prepared: libseccomp is loaded by then
        with _noted(missing):
            restrict()
    return missing


def end_with(parent: int) -> None:
    """End this process when its parent ends, whose process id is ``parent``, though it is stopped.

    The sandbox of its parent must let signals pass: ``Needs.passes``.
    """
    call(library().prctl, SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


@contextmanager
def _noted(missing: list[str]) -> Iterator[None]:
    try:
        yield
    except LocalError as error:
        missing.append(str(error))
    except OSError as error:
        missing.append(f"no Landlock: {error.strerror}")
