"""Our port: what its Makefile says, and what it installs, by bmake and the stubs beside it."""

import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TREE = Path(__file__).parents[2]
STUBS = Path(__file__).parent
PORT = TREE / "packaging" / "openbsd" / "mail" / "opensmtpd-plugins"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SYSTEM_PYTHON = "/usr/bin/python3"
"""It has py-installer, as python3-installer; our .venv has not."""

UNKNOWN = re.compile(r"\$\{[^}]*\}")


class Package(NamedTuple):
    """One of MULTI_PACKAGES."""

    name: str
    """With its dash: ``-dkimsign``."""
    values: Mapping[str, str]
    """The variables of SUBST_VARS, and those of the package alone, without its name."""

    @property
    def stem(self) -> str:
        """The name of the package that is made."""
        return self.values["PKGSTEM"]

    def text(self, file: str) -> str:
        """Return what pkg/FILE of this package says, its variables replaced. Raises KeyError."""
        return UNKNOWN.sub(lambda variable: self.values[variable[0][2:-1]], self.source(file))

    def source(self, file: str) -> str:
        """Return what pkg/FILE of this package says, as it stands there."""
        return (PORT / "pkg" / f"{file}{self.name}").read_text()


def make(port: Path, target: str, work: Path, **more: str) -> str:
    """Run bmake with the stubs, and return what it prints. Raises RuntimeError."""
    values = {
        "WRKDIR": work / "work",
        "DISTDIR": work / "dist",
        "MODPY_BIN": sys.executable,
        "MODPY_VERSION": VERSION,
        **more,
    }
    words = [f"{name}={value}" for name, value in values.items()]
    command = ["bmake", "-r", "-s", "-m", str(STUBS), "-C", str(port), target, *words]
    done = subprocess.run(
        command, umask=0o022, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise RuntimeError(f"bmake {target}: {done.stdout}{done.stderr}")
    return done.stdout


@functools.cache
def variables() -> dict[str, str]:
    """Return what the Makefile makes of the variables that the stub shows."""
    shown = make(PORT, "show", Path("/nowhere"), MODPY_BIN="/usr/local/bin/python3")
    pairs = (line.partition("=") for line in shown.splitlines() if "=" in line)
    return {name: " ".join(value.split()) for name, _, value in pairs}


def packages() -> dict[str, Package]:
    """Return the packages by their names, with the dash."""
    values = variables()
    names = values["MULTI_PACKAGES"].split()
    common = {key: value for key, value in values.items() if "-" not in key}
    found = {}
    for name in names:
        own = {key.removesuffix(name): values[key] for key in values if key.endswith(name)}
        found[name] = Package(name, {**common, **own})
    return found


def missing() -> str:
    """Return what this machine lacks to build the port; nothing if that is nothing."""
    if shutil.which("bmake") is None:
        return "bmake is not installed"
    probe = [SYSTEM_PYTHON, "-c", "import installer"]
    if not Path(SYSTEM_PYTHON).exists() or subprocess.run(probe, check=False).returncode:
        return "python3-installer is not installed"
    return ""


def fake(work: Path) -> Path:
    """Build the port from an sdist of this tree, in ``work``, and return its fake root."""
    sdist = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(work / "dist")]
    subprocess.run(sdist, cwd=TREE, capture_output=True, check=True)
    where = "import installer; print(installer.__path__[0])"
    found = subprocess.run(
        [SYSTEM_PYTHON, "-c", where], capture_output=True, text=True, check=True
    ).stdout.strip()
    # Alone: beside it are other things of the system's Python.
    (work / "modules").mkdir()
    (work / "modules" / "installer").symlink_to(found)
    make(PORT, "fake", work, MODPY_PATH=str(work / "modules"))
    root = work / "work" / "fake"
    for package in packages().values():
        if (PORT / "pkg" / f"README{package.name}").exists():
            readme = root / "usr/local/share/doc/pkg-readmes" / package.stem
            readme.write_text(package.text("README"))
            readme.chmod(0o644)
    return root
