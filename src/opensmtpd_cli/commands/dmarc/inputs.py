"""The files with reports of others: files, folders, standard input."""

import os
import sys
from collections.abc import Iterable, Iterator

from opensmtpd.errors import ConfigError
from opensmtpd.files import reading
from opensmtpd.mail.dmarc.reports.containers import UNPACKED_MAX

STDIN = "-"


def paths(given: Iterable[str]) -> Iterator[str]:
    """Yield the paths of files: those given, and those in given folders and below, by name.

    Links to folders are not followed.
    """
    for path in given:
        if not os.path.isdir(path):
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders.sort()
            for name in sorted(files):
                yield os.path.join(folder, name)


def content(path: str) -> bytes:
    """Return what a file holds; STDIN is standard input. Raises ConfigError without the path."""
    if path == STDIN:
        data = sys.stdin.buffer.read(UNPACKED_MAX + 1)
    else:
        try:
            with reading(path) as file:
                data = file.read(UNPACKED_MAX + 1)
        except ConfigError as error:
            raise ConfigError(error.message) from None
    if len(data) > UNPACKED_MAX:
        raise ConfigError(f"holds more than {UNPACKED_MAX >> 20} MB")
    return data
