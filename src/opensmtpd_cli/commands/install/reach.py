"""Check that smtpd's plugins, which run as users of their own, can read their files."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("opensmtpd", "opensmtpd_filters", "opensmtpd_tables")


def parts(programs: Iterable[str], modules: Iterable[str]) -> Iterator[str]:
    """Yield the files that stand for an installation: programs, interpreter, modules."""
    yield from programs
    yield sys.executable
    yield os.__file__
    config = os.path.join(sys.prefix, "pyvenv.cfg")
    if os.path.exists(config):
        yield config
    for name in (*_PACKAGES, *modules):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            package = os.path.dirname(spec.origin)
            yield from (spec.origin, package, os.path.dirname(package))


def closed(files: Iterable[str]) -> str | None:
    """Return the first path that is closed to others; None where there is none.

    That is a file that cannot be read, a directory that cannot be listed, or a directory on the way
    to one that cannot be passed.
    """
    for file in files:
        for path in _way(Path(file)):
            if not path.stat().st_mode & stat.S_IXOTH:
                return str(path)
        if not os.stat(file).st_mode & stat.S_IROTH:
            return os.path.realpath(file)
    return None


def _way(file: Path) -> Iterator[Path]:
    """Yield the directories that are passed on the way to a file, through one link or several."""
    while True:
        real = Path(os.path.realpath(file))
        yield from reversed([*file.absolute().parents, *real.parents])
        if not file.is_symlink():
            return
        file = file.parent / file.readlink()
