"""A program in another Python, which has nothing open and has imported nothing."""

import os
import subprocess
import sys


def run(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a program, which finds all that we do; ``flags`` are those of Python."""
    path = os.pathsep.join(each for each in sys.path if each)
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
