"""Begin the first stem of a pool: the only process that a plugin's front starts itself."""

import os
import socket
import sys
from contextlib import suppress

from opensmtpd import early, log
from opensmtpd.errors import ConfigError
from opensmtpd.needs import sandboxed
from opensmtpd.worker.ends import StemEnd
from opensmtpd.worker.frames import pack
from opensmtpd.worker.stem_orders import BEGIN

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""


def launch(worker: str) -> StemEnd:
    """Return the front's end of the control socket of a stem with the class ``worker``.

    Raises ConfigError where the system has no process to give.
    """
    _become_subreaper()
    try:
        pid, control = early.stem(worker)
    except OSError as error:
        raise ConfigError(f"no worker can be started: {error.strerror}") from None
    name = os.path.basename(sys.argv[0]) or "plugin"
    end = StemEnd(socket.socket(fileno=control))
    end.pid, end.serves = pid, True
    end.order(pack([BEGIN, name, log.goes_to_syslog(), os.getpid(), sandboxed()]))
    return end


def _become_subreaper() -> None:
    """Have later stems become children of this process, on Linux, so that they end with it."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415  2 ms, for plugins with workers only

        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
