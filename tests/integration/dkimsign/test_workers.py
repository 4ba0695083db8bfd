"""The processes behind filter-dkimsign: they alone hold the keys, and none of them matters much.

Whatever ends, stops or signals one of them, mail goes on, and nothing leaves unsigned.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from integration.support.checks import ALICE, hang_up, logged
from integration.support.worker_processes import Process, gone, held, whole
from lab.peers import mail
from lab.peers.verify import flaw, signatures
from lab.root import inside
from lab.shows.guide import Guide
from lab.support import Lab, setups

FOLDER = "etc/mail/dkim"
WORKERS = 2 if (os.cpu_count() or 1) > 1 else 1


def prepare(guide: Guide) -> None:
    """Have an RSA and an Ed25519 key, the latter for a domain that sends nothing."""
    conf = guide.view / "etc/mail/smtpd.conf"
    text = conf.read_text()
    command = text[text.index("filter-dkimsign ") :].partition('"')[0]
    words = command.split()
    domain, selector, key = (words[words.index(flag) + 1] for flag in ("-d", "-s", "-k"))
    seed = inside.done(guide.view, "openssl", "genpkey", "-algorithm", "ed25519")
    (guide.view / FOLDER / "ed.key").write_text(seed)
    table = f"{domain} {selector} {key}\nother.example ed ed.key\n"
    (guide.view / FOLDER / "keytable").write_text(table)
    for name in ("ed.key", "keytable"):
        inside.done(guide.view, "chown", "_dkimsign:_dkimsign", f"/{FOLDER}/{name}")
        (guide.view / FOLDER / name).chmod(0o600)
    flags = command.replace(f"-d {domain}", f"-f /{FOLDER}/keytable")
    for rest in (f"-s {selector}", f"-k {key}"):
        flags = flags.replace(rest, "")
    conf.write_text(text.replace(command, flags))


pytestmark = pytest.mark.parametrize("running", setups("workers", prepare), indirect=True, ids=str)


@pytest.fixture
def front(lab: Lab) -> Iterator[int]:
    """The process that smtpd talks to: the same one, with the same number behind it, at the end."""
    (pid,) = lab.server.filters()
    whole(pid, WORKERS)
    yield pid
    whole(pid, WORKERS)
    assert lab.server.filters() == [pid]


def send(lab: Lab, subject: str = "signed by a worker") -> int:
    """Send a message; return the code of the reply to its final dot."""
    with mail.submissions(lab.guide) as client:
        return mail.send(client, ALICE, ALICE, mail.compose(ALICE, ALICE, subject))[0]


def assert_signed(lab: Lab, count: int = 1) -> None:
    """Assert that so many messages come, each with a signature that verifies."""
    for delivered in lab.inbox.take(count):
        assert signatures(delivered.message) == 1
        assert flaw(delivered.message) is None


def assert_signs(lab: Lab) -> None:
    assert send(lab) == 250
    assert_signed(lab)


def numbers(name: str, number: int) -> dict[str, bytes]:
    """Return the beginning of a number in both orders of bytes."""
    size = (number.bit_length() + 7) // 8
    return {f"{name} {order}": number.to_bytes(size, order)[-64:] for order in ("big", "little")}


def secrets(folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return what each of the two private keys consists of, and what stands in its file."""
    rsa_text, ed_text = ((folder / name).read_bytes() for name in ("private.key", "ed.key"))
    rsa, ed = (load_pem_private_key(text, None) for text in (rsa_text, ed_text))
    assert isinstance(rsa, RSAPrivateKey)
    assert isinstance(ed, Ed25519PrivateKey)
    private = rsa.private_numbers()
    in_rsa = {
        **numbers("p", private.p),
        **numbers("q", private.q),
        **numbers("d", private.d),
        "PEM of RSA": max(rsa_text.split(), key=len)[:48],
    }
    in_ed = {"seed": ed.private_bytes_raw(), "PEM of Ed25519": max(ed_text.split(), key=len)[:48]}
    return in_rsa, in_ed


def test_the_process_that_smtpd_talks_to_holds_no_key(lab: Lab, front: int) -> None:
    for _ in range(3):
        assert_signs(lab)
    hang_up(lab, "reloaded")
    assert_signs(lab)
    in_rsa, in_ed = secrets(lab.guide.view / FOLDER)
    assert held(front, {**in_rsa, **in_ed}) == set()
    maps = Path(f"/proc/{front}/maps").read_text()
    assert "cryptography" not in maps
    for process in whole(front, WORKERS):  # that it would have been found
        assert held(process.pid, in_rsa)
        assert "seed" in held(process.pid, in_ed)


def test_nobody_but_root_looks_into_those_that_do(front: int) -> None:
    """Files in /proc belong to root where a process is not dumpable, and to its user otherwise."""
    for process in whole(front, WORKERS):
        folder = Path(f"/proc/{process.pid}")
        assert "\nUid:\t0\t" not in (folder / "status").read_text()
        assert (folder / "environ").stat().st_uid == 0
        assert re.search(r"\nMax core file size +0 +0 ", (folder / "limits").read_text())


def test_they_have_names_and_nothing_of_smtpd(lab: Lab, front: int) -> None:
    found = whole(front, WORKERS)
    titles = sorted(process.title for process in found)
    assert titles == ["filter-dkimsign: keys"] * WORKERS + ["filter-dkimsign: keys (stem)"] * 2
    links = {os.readlink(f"/proc/{front}/fd/{fd}") for fd in os.listdir(f"/proc/{front}/fd")}
    sockets = {link for link in links if link.startswith("socket:")}
    for process in found:
        folder = f"/proc/{process.pid}/fd"
        theirs = {fd: os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}
        assert all(theirs.pop(fd).endswith("/dev/null") for fd in ("0", "1"))
        log = theirs.pop("2")
        assert log not in theirs.values()
        assert sockets.isdisjoint(theirs.values())
    assert_signs(lab)


def kill(lab: Lab, front: int, victim: Process) -> None:
    os.kill(victim.pid, signal.SIGKILL)
    assert_signs(lab)
    assert victim not in whole(front, WORKERS)
    assert gone(victim.pid)
    assert_signs(lab)


def test_each_may_be_killed(lab: Lab, front: int) -> None:
    """One after another, those that came into their places, too."""
    for _ in range(2):
        for victim in whole(front, WORKERS):
            kill(lab, front, victim)


def test_all_workers_may_be_killed_at_once(lab: Lab, front: int) -> None:
    before = whole(front, WORKERS)
    for process in before:
        if not process.is_stem:
            os.kill(process.pid, signal.SIGKILL)
    assert_signs(lab)
    assert [process for process in whole(front, WORKERS) if process.is_stem] == [
        process for process in before if process.is_stem
    ]


def test_signals_do_nothing(lab: Lab, front: int) -> None:
    before = whole(front, WORKERS)
    for number in ("HUP", "TERM", "INT", "USR1", "USR2", "ALRM", "PIPE", "QUIT", "TSTP"):
        for process in before:
            os.kill(process.pid, signal.Signals[f"SIG{number}"])
        assert_signs(lab)
    assert whole(front, WORKERS) == before


def test_the_reload_of_the_manual_page_reloads(lab: Lab, front: int) -> None:
    """``pkill -HUP -u _dkimsign -f filter-dkimsign`` comes to all of them."""
    before = whole(front, WORKERS)
    count = lab.log.count(" reloaded")
    status = Path(f"/proc/{front}/status").read_text()
    user = status.partition("\nUid:\t")[2].split()[0]
    subprocess.run(["pkill", "-HUP", "-u", user, "-f", "filter-dkimsign"], check=True)
    logged(lab, "reloaded", count)
    assert_signs(lab)
    now = whole(front, WORKERS)
    assert set(now).isdisjoint(before)
    assert all(gone(process.pid) for process in before)


def test_many_reloads_leave_no_process(lab: Lab, front: int) -> None:
    before = len(os.listdir(f"/proc/{front}/fd"))
    for _ in range(10):
        hang_up(lab, "reloaded")
    key = lab.guide.view / FOLDER / "ed.key"
    away = key.with_name("away")
    key.rename(away)
    for _ in range(5):
        hang_up(lab, "reload-failed")
    away.rename(key)
    assert_signs(lab)
    whole(front, WORKERS)
    assert_signs(lab)  # what ended meanwhile is waited for
    states = [
        (entry / "stat").read_bytes().rpartition(b") ")[2].split()[:2]
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
    ]
    assert [b"Z", b"%d" % front] not in states
    assert len(os.listdir(f"/proc/{front}/fd")) == before


def test_a_stopped_worker_delays_nobody_but_those_it_has(lab: Lab, front: int) -> None:
    stopped = next(process for process in whole(front, WORKERS) if not process.is_stem)
    os.kill(stopped.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(4) as threads:
        clients = [threads.submit(send, lab, f"number {number}") for number in range(4)]
        codes = [client.result() for client in as_completed(clients)]
    assert set(codes) <= {250, 451}
    if WORKERS > 1:
        assert codes[0] == 250  # before those that have waited for the deadline
    assert_signed(lab, codes.count(250))
    assert_signs(lab)
    if 451 not in codes:  # nobody has met it
        os.kill(stopped.pid, signal.SIGCONT)


def test_all_workers_stopped(lab: Lab, front: int) -> None:
    """The client is told to come again, and the next one finds new workers."""
    before = lab.log.count(" worker-late")
    for process in whole(front, WORKERS):
        if not process.is_stem:
            os.kill(process.pid, signal.SIGSTOP)
    assert send(lab) == 451
    logged(lab, "worker-late", before)
    assert "no answer in time" in lab.log
    whole(front, WORKERS)
    codes = [send(lab) for _ in range(6)]
    assert codes.count(451) < WORKERS  # nobody has met the others until now
    assert_signed(lab, codes.count(250))
