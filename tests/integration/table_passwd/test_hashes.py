"""The process that checks the passwords of table-passwd: killed, stopped, and asked for too much.

smtpd 7.9 alone has passwords checked by tables.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from signal import Signals

import bcrypt
import pytest

from lab.peers import mail
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, setups

PASSWORD = "Mixed Case: 'it'"
COSTLY = {
    "memory": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    "rounds": "$2b$31$" + 53 * ".",
}
SLOW = "$2b$15$" + 53 * "."
"""It takes a second or two, and more than the deadline on a loaded machine."""


def prepare(guide: Guide) -> None:
    etc = guide.view / "etc/mail"
    good = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
    rows = {"good": good, "slow": SLOW} | COSTLY
    text = "".join(f"{user}:{hash}:1000:1000::/home/alice:\n" for user, hash in rows.items())
    (etc / "passwd").write_text(f"# @auth\n{text}")
    moves.readable(guide, "/etc/mail/passwd")
    text = (etc / "smtpd.conf").read_text()
    text = text.replace("# Blocks junk mail", "table logins passwd:/etc/mail/passwd\n")
    text = text.replace(
        "587 tls-require $required", "587 tls-require pki example.com auth <logins>"
    )
    (etc / "smtpd.conf").write_text(text)
    moves.check(guide)


pytestmark = pytest.mark.parametrize(
    "running",
    [each for each in setups("hashes", prepare) if "7.9" in str(each)],
    indirect=True,
    ids=str,
)


def log_in(lab: Lab, user: str, password: str = PASSWORD) -> int:
    """Return the code of the reply to AUTH."""
    client = mail.connect(port=587)
    client.starttls(context=mail.trusting(lab.guide))
    client.ehlo()
    try:
        return client.docmd("AUTH PLAIN", mail.plain(user, password))[0]
    finally:
        client.close()


def processes(title: str) -> list[int]:
    """Return the processes behind the table that have this title."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().rstrip(b"\0")
            except OSError:  # it has ended
                continue
            if command == b"table-passwd" + title.encode():
                found.append(int(entry.name))
    return found


def worker(before: int = 0) -> int:
    """Return the process that checks passwords; it is another one than ``before``."""
    for _ in range(600):
        found = processes(": hashes")
        if len(found) == 1 and found[0] != before:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(found)


def while_it_waits(lab: Lab, act: Callable[[int], object]) -> int:
    """Stop the worker, log in, do something to it; return the code of the reply."""
    codes: list[int] = []
    pid = worker()
    os.kill(pid, signal.SIGSTOP)
    thread = threading.Thread(target=lambda: codes.append(log_in(lab, "good")))
    thread.start()
    thread.join(0.5)
    act(pid)
    thread.join()
    return codes[0]


def test_a_worker_that_is_killed_while_a_client_logs_in(lab: Lab) -> None:
    for _ in range(3):
        pid = worker()
        assert while_it_waits(lab, lambda pid: os.kill(pid, signal.SIGKILL)) == 235
        assert worker(pid) > 0
        assert log_in(lab, "good") == 235


def test_a_worker_that_is_stopped(lab: Lab) -> None:
    pid = worker()
    before = len(lab.log)
    assert 400 <= while_it_waits(lab, lambda pid: None) < 500
    assert worker(pid) > 0
    assert log_in(lab, "good") == 235
    assert log_in(lab, "good", "wrong") == 535
    logged = lab.log[before:]
    assert 'reason="good: the password was not checked: no answer in time"' in logged
    assert PASSWORD not in logged
    assert "$2b$" not in logged


@pytest.mark.parametrize(
    "number", [Signals.SIGTERM, Signals.SIGHUP, Signals.SIGINT, Signals.SIGUSR1]
)
def test_signals_of_an_administrator(lab: Lab, number: Signals) -> None:
    everything = sorted(processes(": hashes") + processes(": hashes (stem)"))
    for pid in everything:
        os.kill(pid, number)
    assert log_in(lab, "good") == 235
    assert sorted(processes(": hashes") + processes(": hashes (stem)")) == everything


@pytest.mark.parametrize("title", [": hashes", ": hashes (stem)"])
def test_each_process_of_them_may_be_killed(lab: Lab, title: str) -> None:
    for pid in processes(title)[:1]:
        os.kill(pid, signal.SIGKILL)
    assert log_in(lab, "good") == 235
    assert log_in(lab, "good") == 235


@pytest.mark.parametrize("user", COSTLY)
def test_hashes_that_ask_for_too_much(lab: Lab, user: str) -> None:
    pid = worker()
    assert 400 <= log_in(lab, user) < 500
    assert worker() == pid
    assert log_in(lab, "good") == 235


def test_a_slow_hash_has_an_answer_and_the_next_one_has_too(lab: Lab) -> None:
    code = log_in(lab, "slow")
    assert code == 535 or 400 <= code < 500
    assert log_in(lab, "good") == 235


def test_no_process_is_left_without_its_table(running: Lab) -> None:
    before = set(processes(": hashes") + processes(": hashes (stem)"))
    running.server.restart()
    assert log_in(running, "good") == 235
    after = set(processes(": hashes") + processes(": hashes (stem)"))
    assert len(after) == 3
    assert not before & after
