"""Our package as wheels for the Python of a root, and installed into a view of it."""

import hashlib
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

from lab.root import inside
from lab.root.root import CACHE, VENV, Recipe, RootError, building

TREE = Path(__file__).parents[3]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src", "filters", "tables", "packaging/man")
LIBEXEC = "usr/libexec/opensmtpd"
ORIGINAL = ".c-original"
"""What the name of a C program ends in while ours has its place."""
WHEELS = "wheels"
"""Where a view has the wheels."""
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": f"/{WHEELS}",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
"""What has pip, and pipx, take the wheels for the index of packages."""
DAY = 86400.0
OLD = {"3.13": ("aiodns<3.3", "pycares<5")}
"""What the Python of a root gets in the older of the versions that we support: Debian 13's."""


def ensure(recipe: Recipe) -> Path:
    """Return the folder of wheels for ``recipe``; needs the network when our sources are new.

    Call it with ``lab.root.root.cache_lock`` held. Raises RootError.
    """
    folder = CACHE / f"wheels-{recipe.python}-{_fingerprint(_wanted(recipe))}"
    if folder.is_dir():
        return folder
    for stale in CACHE.glob("wheel*-*"):
        if time.time() - stale.stat().st_mtime > DAY:  # else another run may be about to use it
            shutil.rmtree(stale)
    parts = (_ours(), _dependencies(recipe))
    with building(folder) as work:
        for wheel in chain(*(part.glob("*.whl") for part in parts)):
            shutil.copy(wheel, work)
    return folder


def _ours() -> Path:
    """Return the folder of our own wheel, which is the same for each Python."""
    folder = CACHE / f"wheel-{_fingerprint([])}"
    if not folder.is_dir():
        with building(folder) as work:
            _pip("wheel", "--no-deps", "--wheel-dir", str(work), str(TREE))
    return folder


def _fingerprint(wanted: list[str]) -> str:
    digest = hashlib.sha256(repr(wanted).encode())
    for name in SOURCES:
        path = TREE / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(TREE)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _pyproject(table: str) -> dict[str, Any]:
    """Return a table of pyproject.toml."""
    found: dict[str, Any] = tomllib.loads((TREE / "pyproject.toml").read_text())[table]
    return found


def _extras() -> dict[str, list[str]]:
    """Return the extras that an administrator installs, with what each needs.

    A root has the library of ``ldap`` from its system.
    """
    extras: dict[str, list[str]] = _pyproject("project")["optional-dependencies"]
    return {name: wanted for name, wanted in extras.items() if name not in ("dev", "docs", "ldap")}


def _wanted(recipe: Recipe) -> list[str]:
    """Return what our package depends on, what a clone of it is built with, and what pipx needs."""
    old = OLD.get(recipe.python, ())
    building = _pyproject("build-system")["requires"]
    ours = _pyproject("project")["dependencies"]
    return sorted({*ours, *chain(*_extras().values()), *old, *building, "pip"})


def _dependencies(recipe: Recipe) -> Path:
    wanted = _wanted(recipe)
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:12]
    folder = CACHE / f"dependencies-{recipe.python}-{digest}"
    if folder.is_dir():
        return folder
    print(f"lab: downloading {', '.join(wanted)} for Python {recipe.python}", flush=True)
    libc = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
    platforms = [f"--platform={name}_{platform.machine()}" for name in libc]
    with building(folder) as work:
        _pip("download", "--only-binary=:all:", "--python-version", recipe.python, *platforms,
             "--dest", str(work), *wanted)  # fmt: skip
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check"]
    if subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, check=False).returncode:
        raise RootError(f"pip {arguments[0]} failed")


def layer_folder(root: Path, wheels: Path) -> Path:
    """Return where the cache keeps what ``install`` writes over a root.

    Its name begins as that of the wheels does, so that it goes with them once they are old.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return CACHE / f"{wheels.name}-on-{root.name}-{digest}"


def install(view: Path, wheels: Path) -> None:
    """Install our package into a view of a root, offline, and take the C programs' places.

    Those stay beside ours, with ``ORIGINAL`` behind their names. Raises CommandError.
    """
    shutil.copytree(wheels, view / WHEELS)
    package = f"opensmtpd-plugins[{','.join(_extras())}]"
    pip = (f"{VENV}/bin/pip", "install", "--quiet", "--no-cache-dir", "--root-user-action=ignore")
    inside.done(view, *pip, package, extra=OFFLINE)
    for name in _pyproject("project")["scripts"]:
        plugin = name.startswith(("filter-", "table-"))
        place = view / (LIBEXEC if plugin else "usr/local/bin") / name
        if place.exists():
            place.rename(place.with_name(name + ORIGINAL))
        place.symlink_to(f"{VENV}/bin/{name}")
