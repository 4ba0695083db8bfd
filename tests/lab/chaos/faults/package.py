"""Our package, removed and upgraded under the processes that came from it."""

import shutil
import signal
from pathlib import Path

from lab.chaos import processes
from lab.chaos.faults import Strikes, fault
from lab.chaos.stand import Stand
from lab.root.root import VENV
from lab.shows.moves import smtpctl


@fault("the package is removed and put back", pause=1.0)
def remove(stand: Stand) -> Strikes:
    """Take the whole installed tree away, kill what there is of workers, and reload."""
    here = stand.view / VENV[1:]
    away = here.with_name("away")
    try:
        while True:
            here.rename(away)
            yield 1
            processes.send(processes.one_of_each(processes.workers(stand.server)), signal.SIGKILL)
            processes.send(processes.fronts(stand.server), signal.SIGHUP)
            smtpctl(stand.guide, "update", "table", "aliases")
            yield 0
            away.rename(here)
            yield 0
    finally:
        if away.exists():
            away.rename(here)


@fault("the package is upgraded", pause=0.5)
def upgrade(stand: Stand) -> Strikes:
    """Put a copy into its place, whose programs differ: nobody may mix the two."""
    here = stand.view / VENV[1:]
    old = here.with_name("old")
    try:
        while True:
            new = Path(shutil.copytree(here, here.with_name("new"), symlinks=True))
            here.rename(old)
            new.rename(here)
            for module in here.glob("lib/python*/site-packages/opensmtpd*/**/*.py"):
                module.write_text("raise SystemExit('of another version')\n")
            yield 1
            processes.send(processes.fronts(stand.server), signal.SIGHUP)
            processes.send(processes.one_of_each(processes.workers(stand.server)), signal.SIGKILL)
            yield 0
            shutil.rmtree(here)
            old.rename(here)
            yield 0
    finally:
        shutil.rmtree(here.with_name("new"), ignore_errors=True)
        if old.exists():
            shutil.rmtree(here)
            old.rename(here)
