"""``release`` beside a running smtpd: mail of a user whom filter-limit has stopped passes again."""

import re
import subprocess

import pytest

from integration.support.dns_scenes import Chains, listen, ours, port
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.databases.valkey import ValkeyServer
from lab.root import inside
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, on_both

USER = "_limit"
FOLDER = "/var/lib/limit"
FILE = f"{FOLDER}/state.db"
DATABASE = 11
SERVER = f"redis://127.0.0.1:6379/{DATABASE}"
RULES = "/etc/mail/limits"
STATES = {"file": FILE, "valkey": SERVER}
CHAINS: Chains = {
    title: (ours("filter-limit", f"--state {state} {RULES}") + f" user {USER} group {USER}",)
    for title, state in STATES.items()
}
ALICE = "alice@example.com"
STOPPED = (550, b"5.7.1 This account has sent too much mail and is stopped")


def prepare(guide: Guide) -> None:
    """Stop who sends more than two messages a day."""
    (guide.view / RULES[1:]).write_text("user messages 2/1d stop 12h\n")
    inside.done(guide.view, "useradd", "--system", "--user-group", USER)
    inside.done(guide.view, "install", "-d", "-o", USER, "-g", USER, "-m", "700", FOLDER)
    listen(guide, CHAINS)


on_all, on_one = on_both("release", prepare)
of_each_state = pytest.mark.parametrize("title", STATES)


@pytest.fixture(autouse=True)
def emptied(valkey: ValkeyServer) -> None:
    """Have no state of other tests on the server."""
    valkey.execute("FLUSHDB", database=DATABASE)


def send(lab: Lab, title: str) -> mail.Reply:
    """Have Alice send herself a message in a session of its own."""
    with mail.connect(CONFIRMED_PTR, port(CHAINS, title)) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.login("alice", PASSWORD)
        reply = mail.send(client, ALICE, ALICE, mail.compose(ALICE, ALICE, title))
    if reply[0] == 250:
        lab.inbox.one()
    return reply


def stop(lab: Lab, title: str) -> None:
    """Have Alice send until she is stopped."""
    assert [send(lab, title)[0] for _ in range(2)] == [250, 250]
    assert [send(lab, title) for _ in range(2)] == [STOPPED, STOPPED]


def release(lab: Lab, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the command as root."""
    return inside.tried(lab.guide.view, "opensmtpd-plugins", "release", *words)


def owners(lab: Lab) -> set[str]:
    """Return whose the file of the state is, and those beside it."""
    found = inside.done(lab.guide.view, "find", FOLDER, "-printf", r"%u:%g\n")
    return set(found.split())


@on_all
@of_each_state
def test_mail_passes_at_once(lab: Lab, title: str) -> None:
    seen = len(lab.log)
    stop(lab, title)
    done = release(lab, STATES[title], "Alice", "bob")
    assert (done.returncode, done.stderr) == (0, b"")
    alice, bob = done.stdout.decode().splitlines()
    assert re.fullmatch(r"alice: released, 1[12]:[0-5][0-9]:[0-5][0-9] before the time", alice)
    assert bob == "bob: was not stopped"

    stop(lab, title)  # two messages pass, as at the beginning
    assert release(lab, STATES[title], "alice").returncode == 0
    again = release(lab, STATES[title], "alice")
    assert (again.returncode, again.stdout) == (1, b"alice: was not stopped\n")
    assert send(lab, title)[0] == 250
    assert owners(lab) == {f"{USER}:{USER}"}
    assert release(lab, STATES[title], "alice").returncode == 1
    assert " state-" not in lab.log[seen:]


@on_all
def test_while_smtpd_is_stopped(running: Lab) -> None:
    """Then the files beside that of the state are those of the command."""
    for title in STATES:
        assert STOPPED in [send(running, title) for _ in range(3)]
    seen = len(running.log)
    running.server.stop()
    for state in STATES.values():
        assert release(running, state, "alice").returncode == 0
    assert owners(running) == {f"{USER}:{USER}"}
    running.server.restart()
    for title, state in STATES.items():
        stop(running, title)
        assert release(running, state, "alice").returncode == 0
    assert " state-" not in running.log[seen:]


@on_one
def test_a_state_that_cannot_be_used(lab: Lab, valkey: ValkeyServer) -> None:
    away = {
        f"{FOLDER}/none.db": "there is no such file",
        RULES: "is no state of a filter",
        "redis://127.0.0.1:6": "Connection refused",
        f"{SERVER}?prefx=x": "did you mean prefix?",
    }
    for state, fault in away.items():
        done = release(lab, state, "alice")
        assert (done.returncode, done.stdout) == (3, b"")
        [line] = done.stderr.decode().splitlines()
        assert line.startswith("opensmtpd-plugins: ")
        assert fault in line
    valkey.pause()
    done = release(lab, SERVER, "alice")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr == b"opensmtpd-plugins: 127.0.0.1:6379: it does not answer in time\n"
    assert not (lab.guide.view / FOLDER[1:] / "none.db").exists()


@on_one
def test_who_is_not_root(lab: Lab) -> None:
    """The user of the filter may do it, and others are told who may."""
    assert STOPPED in [send(lab, "file") for _ in range(3)]
    command = ("opensmtpd-plugins", "release", FILE, "alice")
    for user, status, text in (
        ("username", 3, "Permission denied; run this as root, or let user username enter"),
        (USER, 0, "alice: released, "),
    ):
        done = inside.tried(lab.guide.view, "runuser", "-u", user, "--", *command)
        assert done.returncode == status
        assert text in (done.stdout + done.stderr).decode()
