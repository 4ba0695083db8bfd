"""A file system whose server never answers: whoever opens a file on it waits, as on a dead NFS."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEVICE = Path("/dev/fuse")


@contextmanager
def dead_mount(folder: Path) -> Iterator[None]:
    """Mount one over ``folder``. At the end it is gone, and those who wait get an error."""
    server = os.open(DEVICE, os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0,allow_other"
    # -i: without the helper for FUSE, which is a program of its own.
    command = ["mount", "-i", "-t", "fuse", "-o", options, "dead", str(folder)]
    try:
        subprocess.run(command, pass_fds=(server,), check=True)
        yield
    finally:
        os.close(server)
        subprocess.run(["umount", "--lazy", folder], check=False)
