"""The sandbox: at the end of its start, a process gives up all that it does not need.

The rest of the library calls ``confine``. All that a process needs later, modules and libraries
above all, is loaded before. Nothing here ends a process: smtpd would stop with it. A kernel that
offers less than was asked for costs one log line.
"""

import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress

from opensmtpd._runtime.sandbox import paths
from opensmtpd.errors import LocalError
from opensmtpd.log import log
from opensmtpd.needs import Needs

__all__ = ["confine", "reopened", "restrict", "with_folders"]


def _unknown(_needs: Needs | None) -> list[str]:
    raise LocalError(f"no sandbox: {_LACK}")


_LACK = f"{sys.platform} is not known to it"
_system: Callable[[Needs | None], list[str]] = _unknown
try:  # now: what is imported after the start may be gone
    if sys.platform == "linux":
        from opensmtpd._runtime.sandbox import linux

        _system = linux.confine
    elif sys.platform.startswith("openbsd"):
        from opensmtpd._runtime.sandbox import openbsd

        _system = openbsd.confine
except ImportError as error:  # a Python without ctypes
    _LACK = str(error)


def confine(needs: Needs | None) -> None:
    """Take from this process, for good, what it does not need; from its later children, too.

    None for a process that may need anything: it only writes no core file and, on Linux, gains no
    rights from programs that it starts. To be called before any thread is started: a thread that
    runs already keeps its files on Linux. It may be called again with needs that are fewer.
    """
    missing = restrict(needs)
    if missing:
        log("sandbox-missing", reason="; ".join(missing))


def restrict(needs: Needs | None) -> list[str]:
    """Do what ``confine`` does, and return what it would log."""
    with suppress(OSError):  # refused by an earlier sandbox, which has done it
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        return _system(needs)
    except LocalError as error:
        return [str(error)]
    except Exception as error:  # a bug of ours must not end the process
        return [f"no sandbox: {type(error).__name__}: {error}"]


def reopened(needs: Needs) -> list[str]:
    """Return the files that another process must open when something has taken their place.

    They lie in folders of which this process keeps nothing else, or are links to files there.
    OpenBSD knows files by their name.
    """
    if sys.platform != "linux":
        return []
    return [path for path in needs.reads if os.path.isfile(path) and _is_kept_alone(path, needs)]


def _is_kept_alone(path: str, needs: Needs) -> bool:
    """Return whether nothing that takes the place of a file, or of its target, could be read."""
    alone = set(paths.names(path)).intersection(paths.folders(path))
    return any(os.path.dirname(name) not in needs.reads + needs.writes for name in alone)


def with_folders(needs: Needs) -> Needs:
    """Return the same needs, but that each file stands for its folder, whatever else is there."""
    if sys.platform != "linux":
        return needs
    folders = (os.path.dirname(name) for path in needs.reads for name in paths.names(path))
    return needs._replace(reads=(*needs.reads, *dict.fromkeys(folders)))
