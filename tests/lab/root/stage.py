"""From the host into the private network: build what is missing, then start over inside."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lab.root import namespace, packages, plugin, root
from lab.shows.guide import Guide, lay_out

INSIDE = "OPENSMTPD_LAB"
"""Environment variable that is set inside, to what ``prepare`` made, as JSON."""

KEPT = re.compile(r"PYTHONPATH|CI|PIP_.*|SSL_.*|OPENSMTPD_.*|.*_proxy", re.IGNORECASE)
"""Environment variables that sudo would drop."""
NO_TRACES = (
    "PYTHONDONTWRITEBYTECODE=1",
    "PYTEST_ADDOPTS=-p no:cacheprovider",
    f"HYPOTHESIS_STORAGE_DIRECTORY={namespace.VIEWS}/hypothesis",
)
"""With sudo, root's files must not stay in the user's tree."""

NEEDED = ("debootstrap", "unshare", "ip", "chroot")


@dataclass(frozen=True)
class Stage:
    """What one version of smtpd needs to run."""

    smtpd: str
    root: Path
    wheels: Path

    def installed(self, name: str) -> Path:
        """Return a fresh view with our package in it."""
        return namespace.view(self.root, name, [_package(self)])

    def guide(self, name: str | None = None) -> Guide:
        """Return a fresh view with our package and the guide's files in it.

        Those of one process have the same keys.
        """
        layers, guide = _laid_out(self)
        return replace(guide, view=namespace.view(self.root, name or self.smtpd, layers))


@cache
def _package(stage: Stage) -> Path:
    """Return a layer with our package: to install it takes seconds, so the cache keeps it."""
    kept = plugin.layer_folder(stage.root, stage.wheels)
    with root.cache_lock():
        if kept.is_dir():
            return kept
        view = namespace.view(stage.root, f"layer-{stage.smtpd}-package")
        plugin.install(view, stage.wheels)
        written = namespace.layer(view)
        if written == view:  # the whole root, for want of overlayfs: too much to keep
            return view
        with root.building(kept) as folder:
            subprocess.run(["cp", "-aT", written, folder], check=True)
    shutil.rmtree(written)
    return kept


@cache
def _laid_out(stage: Stage) -> tuple[list[Path], Guide]:
    """Return the layers of a guide, and one whose view is no more."""
    package = _package(stage)
    view = namespace.view(stage.root, f"layer-{stage.smtpd}-files", [package])
    guide = lay_out(view)
    return [namespace.layer(view), package], guide


def inside() -> bool:
    """Tell whether this process runs in the private network."""
    return INSIDE in os.environ


def stages() -> dict[str, Stage]:
    """Return the prepared stages by smtpd version; only inside."""
    made: dict[str, list[str]] = json.loads(os.environ[INSIDE])
    return {smtpd: Stage(smtpd, Path(top), Path(wheels)) for smtpd, (top, wheels) in made.items()}


def obstacle() -> str | None:
    """Return why the private smtpd cannot run here, in one line; None if it can."""
    if packages.privileged() is None:
        return "it needs root, and there is neither root nor sudo"
    lacking = [name for name in NEEDED if not shutil.which(name, path=packages.PATH)]
    if lacking:
        return f"it needs {', '.join(lacking)}"
    trial = [*(packages.privileged() or []), *namespace.UNSHARE, "true"]
    if subprocess.run(trial, stderr=subprocess.DEVNULL, check=False).returncode:
        return "this machine allows no network and mount namespaces"
    return None


def prepare(versions: list[str]) -> dict[str, list[str]]:
    """Build roots and wheels that the cache lacks. Raises RootError."""
    made = {}
    with root.cache_lock():
        for smtpd in versions:
            recipe = root.RECIPES[smtpd]
            made[smtpd] = [str(root.ensure(recipe)), str(plugin.ensure(recipe))]
    return made


def enter(versions: list[str], command: list[str]) -> int:
    """Run ``command`` in the private network with these versions ready; returns its exit code.

    Where that cannot be, a line says why, and the command runs outside and has to see how it does.
    """
    os.environ["PATH"] = packages.PATH
    again = [sys.executable, "-m", "lab"]
    why = obstacle()
    if why is None and os.geteuid() != 0:
        keep = [f"{key}={value}" for key, value in os.environ.items() if KEPT.fullmatch(key)]
        whole = [*(packages.privileged() or []), "env", *keep, *NO_TRACES, *again, "enter"]
        return subprocess.call([*whole, *versions, "--", *command])
    if why is None:
        try:
            os.environ[INSIDE] = json.dumps(prepare(versions))
        except root.RootError as error:
            why = str(error)
    if why is not None:
        print(f"lab: the private smtpd cannot run: {why}", flush=True)
        return subprocess.call(command)
    return subprocess.call([*namespace.UNSHARE, *again, "inside", "--", *command])
