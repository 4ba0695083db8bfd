"""Files that come into being together, whole, or not at all."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from types import TracebackType
from typing import BinaryIO

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system import folders
from opensmtpd_cli.system.new_file import NewFile
from opensmtpd_cli.system.signals import signals_held_back


class NewFiles:
    """New files: written under other names beside their own, then given these by ``place``.

    What exists is only ever replaced with ``force``, and only if it is a regular file; the new one
    gets its owner, group and mode. Each directory is opened once, and all is done in that one.
    """

    def __init__(self, force: bool | None) -> None:
        """``force`` is None where the command has no such option."""
        self._force = force
        self._folders: dict[str, int] = {}
        self._files: dict[str, NewFile] = {}

    def __enter__(self) -> "NewFiles":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove what was not placed."""
        with signals_held_back():
            for file in self._files.values():
                file.clear()
            for folder in self._folders.values():
                os.close(folder)
            self._folders.clear()

    def new(
        self, path: str, give: Callable[[int], None], *, secret: bool = False
    ) -> AbstractContextManager[BinaryIO]:
        """Return a context with the new file, to be written there: ``NewFile.writing``.

        ``path`` is a full path. ``give`` is called with the descriptor, and sets who may read the
        file. A ``secret`` is not for all, even if the one before was. Raises ConfigError, OSError.
        """
        directory = os.path.dirname(path)
        if path in self._files:
            raise ConfigError("two files would be called so", path=path, remedy="rename one")
        if directory not in self._folders:
            self._folders[directory] = _opened(directory)
        self._files[path] = NewFile(path, self._folders[directory], force=self._force)
        return self._files[path].writing(give, secret=secret)

    def place(
        self,
        lock: AbstractContextManager[object] | None = None,
        commit: Callable[[], object] | None = None,
    ) -> None:
        """Give all files their names, inside of ``lock``, and then call ``commit``.

        Raises ConfigError, OSError, and what ``commit`` raises; then all is as it was. Signals wait
        until it is done. Only a crash of the system, or being killed, can end it half done.
        """
        with lock or nullcontext(), signals_held_back():
            try:
                for step in (NewFile.keep, NewFile.place):
                    for file in self._files.values():
                        step(file)
                if commit is not None:
                    commit()
            except BaseException:
                for file in self._files.values():
                    file.undo()
                raise
            for file in self._files.values():
                file.settle()
            for folder in self._folders.values():
                with suppress(OSError):  # it is done; have it outlast a crash, too
                    os.fsync(folder)


def _opened(directory: str) -> int:
    try:
        return folders.opened(directory)
    except (FileNotFoundError, NotADirectoryError):
        remedy = "make it, or choose another place"
        raise ConfigError("there is no such directory", path=directory, remedy=remedy) from None
