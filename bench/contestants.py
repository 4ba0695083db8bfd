"""Starts the programs that are compared, all in one view of Debian 13 with its own Python.

Ours are installed there from this tree as an administrator installs them; those in C and Go are
Debian's packages. All run as the user that smtpd runs tables and filters with.
"""

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dkim

from lab.peers.table_client import in_view
from lab.root import stage
from lab.root.inside import CHROOT
from lab.root.plugin import LIBEXEC, ORIGINAL
from lab.root.root import VENV

SMTPD = "7.6"
USER = "opensmtpd"
PYTHON = f"../../..{VENV}/bin/python"
"""Seen from smtpd's folder of plugins."""


@dataclass(frozen=True)
class Contestants:
    """The programs of one view, and a folder that has the same path inside and outside of it."""

    view: Path
    folder: Path
    elsewhere: Path | None = None
    """A folder with other programs of ours, ``.venv/bin`` of some tree; they run as root."""

    def ours(self, program: str, *arguments: str) -> list[str]:
        """Return the command of a program of ours."""
        if self.elsewhere:
            return [str(self.elsewhere / program), *arguments]
        return [*in_view(self.view, program, USER), *arguments]

    def theirs(self, program: str, *arguments: str) -> list[str]:
        """Return the command of one of Debian's; raises SystemExit where the root has it not."""
        for name in (program + ORIGINAL, program):
            place = self.view / LIBEXEC / name
            if place.exists() and not place.is_symlink():
                return [*in_view(self.view, name, USER), *arguments]
        raise SystemExit(f"the root has no {program}")

    def python(self, *arguments: str) -> list[str]:
        """Return how a Python program is run by the interpreter that runs ours."""
        if self.elsewhere:
            return [str(self.elsewhere / "python"), *arguments]
        return [*in_view(self.view, PYTHON, USER), *arguments]

    def palant(self, source: Path, domain: str, selector: str, key: Path) -> list[str]:
        """Return the command of Wladimir Palant's filter, of which ``source`` is a clone.

        It runs on the Python of ours, with dkimpy of this process.
        """
        for package in (source / "src/opensmtpd_filters", Path(dkim.__file__).parent):
            shutil.copytree(package, self.folder / "palant" / package.name)
        self.give()
        start = (
            f"import sys; sys.path.insert(0, '{self.folder}/palant')\n"
            "from opensmtpd_filters.dkimsign import start\nstart()"
        )
        return self.python("-c", start, f"{domain}:{selector}:{key}")

    def operator(self) -> list[str]:
        """Return how opensmtpd-plugins is run, by root."""
        if self.elsewhere:
            return [str(self.elsewhere / "opensmtpd-plugins")]
        return [CHROOT, str(self.view), "/usr/local/bin/opensmtpd-plugins"]

    def give(self) -> None:
        """Let the user of the programs read and write all that is in the folder."""
        subprocess.run(
            [CHROOT, self.view, "chown", "-R", f"{USER}:{USER}", self.folder], check=True
        )


@contextmanager
def contestants(name: str, elsewhere: Path | None = None) -> Iterator[Contestants]:
    """Make a view with our package; the folder is gone at the end."""
    view = stage.stages()[SMTPD].installed(f"bench-{name}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        inside = view / folder[1:]
        inside.mkdir(parents=True)
        Path(folder).chmod(0o755)
        subprocess.run(["mount", "--bind", folder, inside], check=True)
        try:
            yield Contestants(view, Path(folder), elsewhere)
        finally:
            subprocess.run(["umount", "--lazy", inside], check=True)


def parser(description: str, rounds: int, elsewhere: bool = True) -> argparse.ArgumentParser:
    """Return the parser of a subject, with the options that subjects share.

    ``elsewhere`` is for those that can measure other programs of ours than those of the view.
    """
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--rounds", type=int, default=rounds)
    if elsewhere:
        made.add_argument(
            "--ours", type=Path, metavar="FOLDER", help="our programs from there, .venv/bin say"
        )
    return made
