"""The needs of a process after its start: the sandbox of the system takes all else from it.

::

    class Some(Filter):
        needs = Needs(reads=("/etc/mail/clients",), network=True)
"""

from typing import NamedTuple

__all__ = ["Needs", "no_sandbox", "sandboxed"]

_sandboxed = True


class Needs(NamedTuple):
    """The files, sockets and calls of a process after its start; no field given: none of them.

    Every process may compute, keep time, run threads, log, and use the descriptors that it has.
    None of ours starts a program.

    On Linux, a file stands for its folder, because files are replaced by renaming others over them.
    In a folder where programs of all kinds keep theirs, /etc say, it stands for itself alone, and
    ``opensmtpd.files.reading`` opens what took its place; libraries in C do not. A folder that is
    itself replaced is out of reach until the next start. On OpenBSD a file is known by its name.
    """

    reads: tuple[str, ...] = ()
    """Files and folders, with all below them, that are read or listed again."""
    writes: tuple[str, ...] = ()
    """Folders where files are made, read, written, renamed and removed. Linux before 5.19 lets none
    be moved from one folder to another."""
    network: bool = False
    """Ask servers over UDP and TCP."""
    locks: bool = False
    """Lock files."""
    forks: bool = False
    """Make copies of the process, which need no more than the process itself, and end them."""
    passes: bool = False
    """Hand descriptors to other processes, or take theirs, over a socket."""

    accepts: bool = False
    """Take connections at a unix socket that it has."""

    sockets: tuple[str, ...] = ()
    """Unix sockets that it connects to. Linux does not tell them apart."""

    def __or__(self, other: "Needs") -> "Needs":
        """Return the needs of both, for a process that does both."""
        return Needs(
            tuple(dict.fromkeys(self.reads + other.reads)),
            tuple(dict.fromkeys(self.writes + other.writes)),
            self.network or other.network,
            self.locks or other.locks,
            self.forks or other.forks,
            self.passes or other.passes,
            self.accepts or other.accepts,
            tuple(dict.fromkeys(self.sockets + other.sockets)),
        )


def no_sandbox() -> None:
    """Have this program, and the processes that it starts, keep all that they have.

    For those who look for what a sandbox refuses. To be called before smtpd is served.
    """
    global _sandboxed  # noqa: PLW0603  a program has one sandbox
    _sandboxed = False


def sandboxed() -> bool:
    """Return whether this program takes from itself what it does not need."""
    return _sandboxed
