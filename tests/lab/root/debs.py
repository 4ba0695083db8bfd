"""Our Debian packages: built from the sdist, and installed into a view of a root.

``python -m lab.root.debs FOLDER`` is ``make deb``.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.root import inside, packages
from lab.root.plugin import TREE

BUILT = (".deb", ".dsc", ".orig.tar.gz", ".debian.tar.xz", ".changes", ".buildinfo")
BASE = ("python3-opensmtpd", "opensmtpd-plugins")
"""What goes with every plugin: the library, which it needs, and the command."""
AT_HAND = "debs"
"""Where a view has the packages, to install them from."""


class DebError(Exception):
    """The packages could not be built: the text says why."""


def obstacle() -> str | None:
    """Return why no Debian package can be built here, in one line; None if they can."""
    if not shutil.which("dpkg-buildpackage"):
        return "Debian packages need dpkg-buildpackage to be built"
    lacking = [name for name in packages.BUILDING if not packages.installed(name)]
    return f"Debian packages need {', '.join(lacking)} to be built" if lacking else None


def build(folder: Path) -> list[Path]:
    """Build the packages from this tree, and return their places in ``folder``. Raises DebError."""
    why = obstacle()
    if why:
        raise DebError(why)
    with tempfile.TemporaryDirectory(prefix="opensmtpd-plugins-") as name:
        work = Path(name)
        source = _unpacked_sdist(work)
        shutil.copytree(source / "packaging/debian", source / "debian")
        # dpkg wants a compiler by itself, for which there is nothing to do here.
        unchecked = "--no-check-builddeps"
        _run("dpkg-buildpackage", "--no-sign", "--build=full", unchecked, cwd=source)
        folder.mkdir(parents=True, exist_ok=True)
        made = [path for path in sorted(work.iterdir()) if path.name.endswith(BUILT)]
        copies = [Path(shutil.copy(path, folder)) for path in made]
    return [path for path in copies if path.suffix == ".deb"]


def _unpacked_sdist(work: Path) -> Path:
    """Make the sdist in ``work``, under the name of an upstream tarball, and unpack it."""
    _run("python3", "-m", "hatchling", "build", "-t", "sdist", "-d", str(work), cwd=TREE)
    (made,) = work.glob("*.tar.gz")
    distribution, _, version = made.name.removesuffix(".tar.gz").rpartition("-")
    debian = distribution.replace("_", "-")
    original = made.rename(work / f"{debian}_{version}.orig.tar.gz")
    _run("tar", "--extract", "--file", str(original), cwd=work)
    return work / f"{distribution}-{version}"


def _run(*command: str, cwd: Path) -> None:
    """Run a step, and show its output only if it fails. Raises DebError."""
    # umask: dpkg takes modes of files that debhelper leaves alone as they are.
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False, umask=0o022, env=_environment(),
    )  # fmt: skip
    if done.returncode:
        print(done.stdout.decode(errors="replace"), file=sys.stderr)
        raise DebError(f"{command[0]} failed")


def _environment() -> dict[str, str]:
    """Return the system's own programs first: a build must not meet a .venv's Python."""
    ours = ("PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    # The tests of the library run in `make test`, and need more than the packages do.
    unchecked = dict.fromkeys(("DEB_BUILD_OPTIONS", "DEB_BUILD_PROFILES"), "nocheck")
    return {**kept, **unchecked, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def install(view: Path, debs: Path, *names: str) -> None:
    """Install packages of ours, or all, into a view with apt, offline. Raises CommandError.

    Nothing else is at hand but what they depend on, and what a root says.
    """
    if not (view / AT_HAND).is_dir():
        shutil.copytree(debs, view / AT_HAND)
    paths = sorted((view / AT_HAND).glob("*.deb"))
    chosen = [path for path in paths if not names or path.name.partition("_")[0] in names]
    apt(view, "install", *(f"/{path.relative_to(view)}" for path in chosen))


def apt(view: Path, *arguments: str) -> str:
    """Run apt-get in a view; returns what it says. Raises CommandError."""
    return inside.done(view, "apt-get", "--yes", "--no-install-recommends", *arguments)


def main(folder: str) -> int:
    """Build into ``folder``, and say how to install what came of it."""
    print(f"deb: building packages, which will be in {folder} (half a minute)", flush=True)
    try:
        debs = build(Path(folder))
    except DebError as error:
        print(f"deb: {error}", file=sys.stderr)
        return 1
    print(to_install(debs))
    return 0


def to_install(debs: list[Path]) -> str:
    """Return a command for each plugin that installs it and all that it needs of ours."""
    paths = {path.name.partition("_")[0]: os.path.join(".", path) for path in debs}
    base = " ".join(paths.pop(name) for name in BASE)
    lines = [f"    apt install {base} {path}" for path in paths.values()]
    return "\n".join(["deb: install, as root, one of these, or several:", *lines])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
