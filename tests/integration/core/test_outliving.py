"""Plugins whose package is removed while smtpd runs, and that are sent signals: mail goes on."""

import os
import shutil
import signal

import pytest

from integration.support import all_kinds
from integration.support.all_kinds import all_serve
from lab.shows.guide import Guide
from lab.support import Lab, setups

SIGNALS = ("TERM", "INT", "USR1", "USR2", "QUIT", "PIPE", "ALRM", "TSTP", "TTIN", "CHLD", "WINCH")


def prepare(guide: Guide) -> None:
    """Have tables and filters of all kinds."""
    all_kinds.prepare(guide)


pytestmark = pytest.mark.parametrize(
    "running", setups("outliving", prepare), indirect=True, ids=str
)


def test_the_package_is_removed_under_them(lab: Lab) -> None:
    """The first test of this server: nothing has been asked of any yet."""
    plugins = lab.server.plugins()
    shutil.rmtree(lab.guide.view / "opt/opensmtpd-plugins")
    all_serve(lab)
    filters = [pid for pid in plugins if pid not in lab.server.tables()]
    for pid in filters:
        os.kill(pid, signal.SIGHUP)
    all_serve(lab)
    assert lab.server.plugins() == plugins
    assert lab.log.count(" reloaded") == len(filters) == 10


def test_signals_do_nothing(lab: Lab) -> None:
    plugins = lab.server.plugins()
    assert len(plugins) >= 4 + 10
    for name in SIGNALS:
        for pid in plugins:
            os.kill(pid, signal.Signals[f"SIG{name}"])
    for pid in lab.server.tables():
        os.kill(pid, signal.SIGHUP)
    all_serve(lab)
    assert lab.server.plugins() == plugins
