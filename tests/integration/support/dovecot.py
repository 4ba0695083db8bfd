"""A real Dovecot beside smtpd, in the same view of a root."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.root import inside

SOCKET = "run/dovecot/lmtp"


@contextmanager
def serving(view: Path) -> Iterator[None]:
    """Run Dovecot on its configuration in the view, until it is to end."""
    log = view / "dovecot.log"
    with open(log, "wb") as out:
        dovecot = subprocess.Popen(
            [inside.CHROOT, view, "dovecot", "-F"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=inside.ENVIRONMENT,
        )  # fmt: skip
    try:
        end = time.monotonic() + 30
        while not (view / SOCKET).exists():
            assert dovecot.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.02)
        yield
    finally:
        dovecot.terminate()
        dovecot.wait(10)
        (view / SOCKET).unlink(missing_ok=True)
