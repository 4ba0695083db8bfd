"""The file of a new private key: for the filter to read, for root alone to replace."""

import grp
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system import folders
from opensmtpd_cli.system.folders import naming

DIRECTORY = "/etc/mail/dkim"
USER = "_dkimsign"
"""The filter's user, and its group."""


def named(directory: str, domain: str, selector: str) -> str:
    """Return the path of a key's file."""
    return os.path.join(directory, f"{domain}.{selector}.key")


def group() -> int | None:
    """Return the group of the filter; None without root. Raises ConfigError."""
    if os.geteuid() != 0:
        return None
    try:
        return grp.getgrnam(USER).gr_gid
    except KeyError:
        remedy = f"install filter-dkimsign's package, or: useradd --system --no-create-home {USER}"
        raise ConfigError(f"there is no group {USER}", remedy=remedy) from None


@contextmanager
def new(path: str, pem: bytes, stays: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Write a new key; as root, into ``DIRECTORY``, with that if need be.

    What exists is never replaced, nor is a symbolic link followed. Raises ConfigError, OSError;
    then nothing of it is there. So it is if anything fails inside, unless the key ``stays``.
    """
    readers = group()
    parent, name = os.path.split(path)
    if not name:
        raise ConfigError("is no name of a file", path=path, remedy="name one with --key")
    with _directory(parent, readers) as folder:
        file = _create(path, folder)
        try:
            with naming(path), open(file, "wb") as stream:
                if readers is not None:
                    os.fchown(file, 0, readers)
                os.fchmod(file, 0o600 if readers is None else 0o640)  # the umask does not count
                stream.write(pem)
                stream.flush()
                os.fsync(file)
                os.fsync(folder)
            yield
        except BaseException:
            if not stays():
                os.unlink(name, dir_fd=folder)
            raise


def _create(path: str, folder: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        return os.open(os.path.basename(path), flags, 0o600, dir_fd=folder)
    except FileExistsError:
        remedy = "choose another selector, or another file with --key"
        fault = "is there already, and a key is never overwritten"
        raise ConfigError(fault, path=path, remedy=remedy) from None
    except PermissionError as error:
        raise _denied(path, error) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def _denied(path: str, error: OSError) -> ConfigError:
    remedy = "run it as root, or name a file with --key"
    return ConfigError(str(error.strerror), path=path, remedy=remedy)


@contextmanager
def _directory(path: str, readers: int | None) -> Iterator[int]:
    """Open the directory of keys, and make it if it is missed; what fails inside unmakes it.

    Others may be able to write there, and to exchange what leads there: once it is open, it is this
    one, whatever its path is by then.
    """
    with ExitStack() as stack:
        if path == DIRECTORY and readers is not None:
            stack.enter_context(_made(os.path.dirname(path), 0, 0o755))
            stack.enter_context(_made(path, readers, 0o750))
        folder = _opened(path)
        stack.callback(os.close, folder)
        yield folder


@contextmanager
def _made(path: str, gid: int, mode: int) -> Iterator[None]:
    """Make a directory of root's if it is missed; what fails inside unmakes it."""
    above, name = os.path.split(path)
    folder, made = _opened(above), False
    try:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
            made = True
            _give(path, folder, gid, mode)
        yield
    except BaseException:
        if made:
            with suppress(OSError):  # somebody has put something into it
                os.rmdir(name, dir_fd=folder)
        raise
    finally:
        os.close(folder)


def _give(path: str, folder: int, gid: int, mode: int) -> None:
    """Set group and mode of a new directory, and of nothing that was put in its place."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with naming(path):
        new = os.open(os.path.basename(path), flags, dir_fd=folder)
        try:
            if os.fstat(new).st_uid != 0 or os.listdir(new):
                remedy = "let nobody else write to its directory"
                raise ConfigError("somebody exchanged it meanwhile", path=path, remedy=remedy)
            os.fchown(new, 0, gid)
            os.fchmod(new, mode)
        finally:
            os.close(new)


def _opened(path: str) -> int:
    try:
        return folders.opened(path)
    except FileNotFoundError:
        how = "run it as root" if path == DIRECTORY else "make it"
        remedy = f"{how}, or name a file elsewhere with --key"
        raise ConfigError("there is no such directory", path=path, remedy=remedy) from None
    except PermissionError as error:
        raise _denied(path, error) from None
