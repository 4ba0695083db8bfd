"""filter-dkimsign whose first process says at its end where it was when it was sampled.

Each time that the process has had some CPU in itself, not in the kernel, a signal looks which part
of the source it is in: the innermost frame whose file belongs to one. The last line on standard
error counts the samples.
"""

import json
import os
import signal
import sys
from collections import Counter
from types import FrameType
from typing import NoReturn

from opensmtpd_filters import early

PARTS = {
    "opensmtpd/_protocol/": "protocol: lines in and out",
    "opensmtpd/filter/": "protocol: lines in and out",
    "opensmtpd/mail/dkim/": "canonical form, hash, header field",
    "opensmtpd_filters/": "canonical form, hash, header field",
    "opensmtpd/worker/": "hand-off to the workers",
    "opensmtpd/_runtime/": "loop: poll, read, write",
}
"""The names of folders that stand in paths of files, and the parts that they belong to."""
OTHER = "the rest"
EVERY = 0.001
"""Seconds of CPU between two samples; kernels round it up to their tick."""

samples: Counter[str] = Counter()


def part(frame: FrameType | None) -> str:
    """Return the part of the source that a frame, or the next one outwards, belongs to."""
    while frame is not None:
        for folder, name in PARTS.items():
            if folder in frame.f_code.co_filename:
                return name
        frame = frame.f_back
    return OTHER


def sample(number: int, frame: FrameType | None) -> None:
    """Count where the process is."""
    samples[part(frame)] += 1


def main() -> None:
    """Run the filter with samples; the workers have none, because a fork has no timer."""
    first, end = os.getpid(), os._exit

    def leave(status: int) -> NoReturn:
        if os.getpid() == first:
            print(json.dumps(samples), file=sys.stderr, flush=True)
        end(status)

    os._exit = leave  # a filter ends so
    signal.signal(signal.SIGVTALRM, sample)
    signal.setitimer(signal.ITIMER_VIRTUAL, EVERY, EVERY)
    early.dkimsign()


if __name__ == "__main__":
    main()
