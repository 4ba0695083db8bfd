"""What tests ask for: a prepared stage, the published test material, a running mail server."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.peers.maildir import Maildir
from lab.peers.nameserver import NameServer
from lab.peers.sink import Sink
from lab.root import stage
from lab.root.plugin import TREE
from lab.root.server import Server
from lab.shows.guide import Guide

OUTSIDE = "not inside a private network; `make test` makes one where it can"


def shared(folder: str, variable: str) -> Path:
    """Return a folder of material that is not in the tree; it need not exist."""
    chosen = os.environ.get(variable)
    return Path(chosen) if chosen else TREE.parent / "shared" / folder


SUITES = shared("suites", "OPENSMTPD_PLUGINS_SUITES")


def need_stage(smtpd: str) -> stage.Stage:
    """Return the prepared stage, or skip the test; in CI its absence is a failure."""
    if stage.inside():
        return stage.stages()[smtpd]
    if os.environ.get("CI"):
        pytest.fail(OUTSIDE)
    pytest.skip(OUTSIDE)


@dataclass(frozen=True)
class Setup:
    """Which mail server a test wants."""

    smtpd: str
    """Version: "7.6"."""
    name: str = "guide"
    prepare: Callable[[Guide], object] | None = None
    """What makes it differ from the guide's, before it starts."""

    def __str__(self) -> str:
        return f"{self.smtpd}-{self.name}"


_names: dict[str, str] = {}
"""Names of setups, and the files of their functions: a module may be imported under two names."""


def setups(name: str, prepare: Callable[[Guide], object]) -> list[Setup]:
    """Return one for each version of smtpd. Raises ValueError for a name that another module has.

    Each setup has a folder of its name.
    """
    file = inspect.getfile(prepare)
    if _names.setdefault(name, file) != file:
        raise ValueError(f"there are setups {name!r} already: choose another name")
    return [Setup("7.6", name, prepare), Setup("7.9", name, prepare)]


def on_both(
    name: str, prepare: Callable[[Guide], object]
) -> tuple[pytest.MarkDecorator, pytest.MarkDecorator]:
    """Return marks for tests on all of ``setups``, and for those on the first of them alone."""
    made = setups(name, prepare)
    return _running(made), _running(made[:1])


def _running(made: list[Setup]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("running", made, indirect=True, ids=str)


ALONE = [
    pytest.mark.parametrize("running", [None], indirect=True, ids=["alone"]),
    pytest.mark.usefixtures("running"),
]
"""``pytestmark`` of a module that starts servers of its own: no other one runs beside them."""


@dataclass
class Lab:
    """A running mail server and what is around it."""

    smtpd: str
    guide: Guide
    server: Server
    sink: Sink
    dns: NameServer

    @property
    def inbox(self) -> Maildir:
        """Alice's mail."""
        return Maildir(self.guide.home("alice") / "Maildir")

    @property
    def log(self) -> str:
        """What smtpd and the filter have logged so far."""
        return self.server.log.read_text(errors="replace")
