"""The file, the memory and the processes of filter-greylist fail while mail goes on.

No mail is lost, or comes twice, and none is refused but to be greylisted: where the state is lost,
all is new again; where it is away, all passes.
"""

import itertools
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from integration.support import told
from integration.support.dns_scenes import Chains, knock, listen, ours, port
from integration.support.greylist_scenes import LATER, NAME, again, attempt, message
from integration.support.state_file import StateFile
from integration.support.told import until
from lab.chaos.processes import Process, workers
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.maildir import Maildir
from lab.peers.numbered import NumberedMail
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup

FOLDER = "/var/lib/opensmtpd-plugins/greylist"
QUICK = "-passtime 0.2"
CHAINS: Chains = {
    "file": (ours(NAME, f"--state {FOLDER}/state.db {QUICK} --auto-white 0 --dns-deadline 1"),),
    "memory": (ours(NAME, f"{QUICK} --auto-white 0"),),
}
FILE, MEMORY = (port(CHAINS, title) for title in CHAINS)
OTHER = "username@example.com"
"""Who gets the mail of somebody new."""
STATE, DNS = f"{NAME}: state", f"{NAME}: dns"
"""Processes behind the filter."""
RESULT = re.compile(rb' smtp failed-command .* result="\d+ (.*)"')
_numbers = itertools.count()


def prepare(guide: Guide) -> None:
    StateFile(guide.view, FOLDER).lay_out("16m")
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "greylist-faults", prepare)], indirect=True, ids=str
)


@pytest.fixture
def site(running: Lab) -> Iterator[Lab]:
    """smtpd; at the end of each test it lives, with the filters that it had."""
    before, seen = running.server.plugins(), len(running.log)
    yield running
    running.server.check()
    assert running.server.plugins() == before
    assert running.inbox.rest() == []
    assert "handler-failed" not in running.log[seen:]


def spares_strangers(lab: Lab, number: int = FILE) -> bool:
    """Tell whether mail of somebody new passes at once."""
    spared = not attempt(number, f"new{next(_numbers)}@remote.example", OTHER).waits
    if spared:
        Maildir(lab.guide.home("username") / "Maildir").one()
    return spared


@contextmanager
def going_on(lab: Lab, number: int = FILE, *, forgets: bool = False) -> Iterator[NumberedMail]:
    """Have clients with a sender who is known send mail.

    Only where the filter ``forgets``, there are refusals, all of them its own.
    """
    until(lambda: not spares_strangers(lab, number))
    again(number, STRANGER)
    lab.inbox.one()
    seen = len(lab.log)
    with told.going_on(lab, number) as (load, _):
        yield load
    until(lambda: not spares_strangers(lab, number))
    refused = {code for code in load.told.values() if code != 250}
    results = set(RESULT.findall(lab.log[seen:].encode()))
    assert [each for each in results if not LATER.fullmatch(each)] == []
    assert refused <= ({451} if forgets else set())


@pytest.fixture
def file(site: Lab) -> StateFile:
    """The file, which is new."""
    found = StateFile(site.guide.view, FOLDER)
    found.kill()
    found.delete_all()
    return found


def helpers(lab: Lab, kind: str) -> list[Process]:
    """Return processes of a kind, not those that others are made from."""
    return [each for each in workers(lab.server) if each.kind == kind]


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "harm",
    [
        "overwrite",
        "delete_all",
        "replace",
        "cut_the_index_of_the_log",
        "overwrite_the_log",
    ],
)
def test_the_file_is_lost(site: Lab, file: StateFile, harm: str) -> None:
    """Or one that SQLite has beside it."""
    until(lambda: not spares_strangers(site))
    file.fill()
    with going_on(site, forgets=True) as load:
        getattr(file, harm)()
        load.goes_on(60)


@pytest.mark.parametrize("state", [StateFile.read_only, StateFile.full], ids=["read-only", "full"])
def test_nothing_can_be_written(
    site: Lab, file: StateFile, state: Callable[[StateFile], AbstractContextManager[None]]
) -> None:
    seen = len(site.log)
    with going_on(site, forgets=state == StateFile.full) as load:
        with state(file):
            until(lambda: spares_strangers(site))
            load.goes_on(60)
        until(lambda: not spares_strangers(site))
    assert " state-away " in site.log[seen:]
    assert " state-back " in site.log[seen:]


def test_the_folder_is_forbidden(site: Lab, file: StateFile) -> None:
    with going_on(site) as load:
        file.path().parent.chmod(0)
        file.kill()
        until(lambda: spares_strangers(site))
        load.goes_on(60)
        file.path().parent.chmod(0o755)
        until(lambda: not spares_strangers(site))


# --- processes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "kind"), [(FILE, STATE), (FILE, DNS), (MEMORY, STATE)])
def test_a_process_is_killed(site: Lab, number: int, kind: str) -> None:
    """What is in memory is lost with it."""
    with going_on(site, number, forgets=number == MEMORY and kind == STATE) as load:
        for _ in range(3):
            for victim in helpers(site, kind):
                os.kill(victim.pid, signal.SIGKILL)
            load.goes_on(60)


def test_a_process_is_stopped(site: Lab) -> None:
    """Another takes its place."""
    with going_on(site) as load:
        for victim in helpers(site, STATE):
            os.kill(victim.pid, signal.SIGSTOP)
        load.goes_on(60)


def test_the_filters_are_stopped_for_a_moment(site: Lab) -> None:
    with going_on(site) as load:
        for pid in site.server.filters(NAME):
            os.kill(pid, signal.SIGSTOP)
        until(lambda: list(load.told.values()).count(0) == told.CLIENTS)
        for pid in site.server.filters(NAME):
            os.kill(pid, signal.SIGCONT)


def test_the_dns_says_nothing(site: Lab) -> None:
    """A stranger waits for SPF, and is known by his network then."""
    with knock(CONFIRMED_PTR, FILE) as client:
        site.dns.dead = True
        try:
            assert message(client, "silence@remote.example").codes == [451]
            assert "client=192.0.2.0/24 " in site.log.rpartition(" greylist-defer ")[2]
        finally:
            site.dns.dead = False
