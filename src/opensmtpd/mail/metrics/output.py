"""The file with metrics, for the textfile collector of node_exporter."""

import os

from opensmtpd.errors import ConfigError
from opensmtpd.log import log

SUFFIX = ".new"
"""Of the file that takes the place of the other: node_exporter reads names in ``.prom`` only."""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OutputFile:
    """A file that is replaced as a whole, so that nobody reads a half."""

    def __init__(self, path: str) -> None:
        """Raises ConfigError where no file could be made there."""
        self.path = path
        self.folder = writable_folder(path)
        self._failed = False

    def write(self, text: bytes) -> None:
        """Replace the file. The first failure in a row is logged."""
        try:
            self._replace(text)
        except OSError as error:
            if not self._failed:
                log("metrics-not-written", file=self.path, reason=error)
            self._failed = True
        else:
            self._failed = False

    def _replace(self, text: bytes) -> None:
        new = self.path + SUFFIX
        descriptor = os.open(new, _FLAGS, 0o644)
        try:
            os.fchmod(descriptor, 0o644)
            while text:
                text = text[os.write(descriptor, text) :]
        finally:
            os.close(descriptor)
        os.rename(new, self.path)


def writable_folder(path: str) -> str:
    """Return the folder of a file that is to be made. Raises ConfigError where that cannot be."""
    folder = os.path.dirname(path)
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ConfigError("not the whole path of a file", path=path, remedy="begin with a slash")
    if not os.path.isdir(folder):
        raise ConfigError("no such directory", path=folder, remedy="make it, or correct the path")
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        remedy = "let the user of the filter make files there"
        raise ConfigError("cannot make a file there", path=folder, remedy=remedy)
    return folder
