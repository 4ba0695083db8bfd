"""Files that come into being together, whole, or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from types import TracebackType

from opensmtpd.errors import ConfigError


class NewFiles:
    """New files: written under other names beside their own, then given these by ``place``.

    What exists is only ever replaced with ``force``, and only if it is a regular file; the new one
    gets its owner, group and mode.
    """

    def __init__(self, force: bool) -> None:
        self._force = force
        self._names: dict[str, str] = {}
        self._linked: list[str] = []
        self._old: dict[str, str] = {}
        """Second names of what is replaced, to put it back."""

    def __enter__(self) -> "NewFiles":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove what was not placed."""
        for temporary in self._names.values():
            for path in (temporary, temporary + "-journal"):
                if os.path.lexists(path):
                    os.unlink(path)

    def new(self, path: str) -> str:
        """Return the name to write a file under. Raises ConfigError, OSError."""
        directory, name = os.path.split(path)
        if not os.path.isdir(directory):
            raise ConfigError("there is no such directory", path=directory)
        if path in self._names:
            raise ConfigError("two files would be called so", path=path, remedy="rename one")
        if os.path.lexists(path):
            self._may_replace(path)
        with naming(path):
            handle, temporary = tempfile.mkstemp(prefix=f".{name[:100]}.", dir=directory)
            os.close(handle)
        self._names[path] = temporary
        return temporary

    def _may_replace(self, path: str) -> None:
        if not self._force:
            remedy = "remove it, choose another place, or replace it with --force"
            raise ConfigError("is there already", path=path, remedy=remedy)
        if not stat.S_ISREG(os.lstat(path).st_mode):
            remedy = "remove it, or choose another place"
            raise ConfigError("is no regular file, and is not replaced", path=path, remedy=remedy)

    def place(self, lock: AbstractContextManager[object] | None = None) -> None:
        """Give all files their names, inside of ``lock``. Raises OSError; then all is as it was.

        Only a crash of the system, or being killed, can end it half done.
        """
        for path, temporary in self._names.items():
            with naming(path):
                _sync(temporary)
        with lock or nullcontext():
            try:
                for step in (self._keep, self._place):
                    for path, temporary in self._names.items():
                        with naming(path):
                            step(path, temporary)
            except BaseException:
                self._undo()
                raise
        for old in self._old.values():
            with suppress(OSError):  # what was to be done is done
                os.unlink(old)

    def _keep(self, path: str, temporary: str) -> None:
        """Give a file that is replaced a second name, and what it has to the new one."""
        if self._force and os.path.lexists(path):
            old = os.lstat(path)
            os.chown(temporary, old.st_uid, old.st_gid)
            os.chmod(temporary, stat.S_IMODE(old.st_mode))
            os.link(path, f"{temporary}.old", follow_symlinks=False)
            self._old[path] = f"{temporary}.old"

    def _place(self, path: str, temporary: str) -> None:
        if path in self._old:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)  # fails where somebody else made it meanwhile
            self._linked.append(path)

    def _undo(self) -> None:
        for path in self._linked:
            os.unlink(path)
        for path, old in self._old.items():
            os.replace(old, path)
            with suppress(FileNotFoundError):  # rename(2) leaves both names of the same file
                os.unlink(old)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Have errors name the file that is meant, not what it is called on the way."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error


def _sync(path: str) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
