"""Passwords checked by a worker that hangs, dies or says nonsense: each has one answer, in time."""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from signal import Signals

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.errors import DecisionError, LocalError, Unavailable
from opensmtpd.table.passwords import checks
from opensmtpd.table.passwords.checks import Checks
from opensmtpd.worker.open_request import OpenRequest

SECRET, MD5 = "p\udce4ss\udcff", "$1$salt$iRWCvHGyVwvuTMbLaAaW8."
SLOW = "$2b$15$" + 53 * "."
"""It takes a second or two: long enough for a signal to meet it."""
SLOWEST = "$argon2id$v=19$m=262144,t=5,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checks]:
    """Return checks that wait for as long as a loaded machine needs."""
    monkeypatch.setattr(checks, "SECONDS", 60.0)
    made = Checks()
    yield made
    made.pool.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checks]:
    """Return checks that wait for a moment only."""
    monkeypatch.setattr(checks, "SECONDS", 0.2)
    made = Checks()
    yield made
    made.pool.close()


def worker_of(made: Checks, before: int = 0) -> int:
    """Return the process id of the worker that serves, and is not the one ``before``."""
    while True:
        for worker in made.pool._crew.workers:
            if worker.serves and worker.pid not in (0, before):
                return worker.pid
        made.pool._catch_up(0.05)


def end(made: Checks, asked: Deferred[bool]) -> bool | str:
    """Wait for the answer; return it, or the kind and the text of the error."""
    ends: list[tuple[bool, BaseException | None]] = []
    asked.on_end(lambda value, error: ends.append((value, error)))
    while not ends:
        made.pool._catch_up(0.05)
    value, error = ends[0]
    return value if error is None else f"{type(error).__name__}: {error}"


def test_right_and_wrong_passwords(patient: Checks) -> None:
    assert end(patient, patient.ask(SECRET, MD5, "alice")) is True
    assert end(patient, patient.ask("x", MD5, "alice")) is False
    assert end(patient, patient.ask(SECRET, None, "alice")) is False
    assert end(patient, patient.ask(SECRET, "*", "alice")) is False


def test_a_hash_that_cannot_be_checked_says_why(patient: Checks) -> None:
    fault = "alice: cannot check a bcrypt hash: it asks for too much memory or time"
    assert end(patient, patient.ask("x", "$2b$31$" + 53 * ".", "alice")) == f"LocalError: {fault}"


def test_a_worker_that_is_killed_is_replaced_and_asked_again(patient: Checks) -> None:
    pid = worker_of(patient)
    os.kill(pid, signal.SIGSTOP)
    asked = patient.ask(SECRET, MD5, "alice")
    os.kill(pid, signal.SIGKILL)
    assert end(patient, asked) is True
    assert worker_of(patient) != pid


def test_a_request_that_kills_two_workers_is_refused(patient: Checks) -> None:
    first = worker_of(patient)
    asked = patient.ask("x", SLOW, "alice")
    os.kill(first, signal.SIGKILL)
    os.kill(worker_of(patient, first), signal.SIGKILL)
    reason = "a worker died of this request, twice"
    assert end(patient, asked) == f"Unavailable: alice: the password was not checked: {reason}"
    assert end(patient, patient.ask(SECRET, MD5, "alice")) is True


@pytest.mark.parametrize(
    "number", [Signals.SIGTERM, Signals.SIGHUP, Signals.SIGINT, Signals.SIGUSR1]
)
def test_signals_of_an_administrator_do_nothing(patient: Checks, number: Signals) -> None:
    pid = worker_of(patient)
    os.kill(pid, signal.SIGSTOP)
    asked = patient.ask(SECRET, MD5, "alice")
    os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)
    assert end(patient, asked) is True
    assert worker_of(patient) == pid


def test_a_worker_that_is_stopped_is_late_and_replaced(
    hasty: Checks, capfd: pytest.CaptureFixture[str]
) -> None:
    pid = worker_of(hasty)
    os.kill(pid, signal.SIGSTOP)
    late = "the password was not checked: no answer in time"
    assert end(hasty, hasty.ask(SECRET, MD5, "alice")) == f"Unavailable: alice: {late}"
    assert worker_of(hasty) != pid
    hasty.pool._deadline = 60.0
    assert end(hasty, hasty.ask(SECRET, MD5, "alice")) is True
    assert "worker-late" in (log := capfd.readouterr().err)
    assert "$1$" not in log
    assert "p" + chr(0xDCE4) not in log


@pytest.mark.parametrize(("hash", "whose"), [(SLOWEST, "alice: "), (None, "")])
def test_a_hash_that_takes_too_long_is_cut_off(hasty: Checks, hash: str | None, whose: str) -> None:
    """What the client typed as a name is told only where it is that of a user."""
    worker_of(hasty)
    if hash is None:
        end(hasty, hasty.ask("x", SLOWEST, "alice"))
        os.kill(worker_of(hasty), signal.SIGSTOP)
    late = "the password was not checked: no answer in time"
    assert end(hasty, hasty.ask("x", hash, "alice")) == f"Unavailable: {whose}{late}"
    worker_of(hasty)
    hasty.pool._deadline = 60.0
    assert end(hasty, hasty.ask(SECRET, MD5, "alice")) is True


@pytest.mark.parametrize("reply", [None, 1, b"yes", ["found"], {}])
def test_replies_that_are_none(
    patient: Checks, reply: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    replied: Deferred[object] = Deferred()
    replied.settle(reply)
    monkeypatch.setattr(patient.pool, "ask", lambda request: replied)
    with pytest.raises(Unavailable, match=r"^alice: the password was not checked: the worker's"):
        raise _error(patient.ask("x", MD5, "alice"))


def _error(asked: Deferred[bool]) -> BaseException:
    errors: list[BaseException | None] = []
    asked.on_end(lambda _, error: errors.append(error))
    assert isinstance(errors[0], LocalError)
    return errors[0]


def test_no_request_is_kept_that_has_its_reply(patient: Checks) -> None:
    pid = worker_of(patient)
    os.kill(pid, signal.SIGSTOP)
    asked = patient.ask("a secret", MD5, "alice")
    assert holders() == 1
    os.kill(pid, signal.SIGCONT)
    assert end(patient, asked) is False
    assert holders() == 0


def holders() -> int:
    """Return the number of requests that hold the password."""
    found = (each for each in gc.get_objects() if isinstance(each, OpenRequest))
    return sum(b"a secret" in each.frame for each in found)


def test_what_computes_hashes_is_loaded_by_the_worker_alone() -> None:
    program = f"""
import sys
from opensmtpd_tables import flat, passwd, sqlite
from opensmtpd.table.passwords.checks import checks
assert checks() is checks()
assert checks().pool.request(["x", {MD5!r}, "alice"]) is False
print(sorted({{"argon2", "bcrypt", "hashlib", "hmac", "passlib"}} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


# --- the row of a user ----------------------------------------------------------------------------


@pytest.fixture
def compared(patient: Checks, monkeypatch: pytest.MonkeyPatch) -> Checks:
    """Have ``compare`` ask the worker of the test."""
    monkeypatch.setattr(checks, "checks", lambda: patient)
    return patient


@pytest.mark.parametrize(
    ("row", "right"),
    [(MD5, True), (f"alice:{MD5}", True), (f":{MD5}", True), (None, False), ("alice:", False)],
)
def test_a_row_is_compared(compared: Checks, row: str | None, right: bool) -> None:
    later: Deferred[str | None] = Deferred()
    for value in (row, later):
        asked = checks.compare(value, SECRET, "alice")
        assert isinstance(asked, Deferred)
        later.settle(row)
        assert end(compared, asked) is right


def test_a_row_that_is_none(compared: Checks) -> None:
    with pytest.raises(DecisionError, match="the value is empty"):
        checks.compare("", SECRET, "alice")
