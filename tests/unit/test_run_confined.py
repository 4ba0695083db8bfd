"""Programs that have answered ``ready``: what they have given up, and what still works."""

import os
import select
import signal
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import pytest

from unit.support.child import PATIENCE, Child
from unit.support.confined import missing
from unit.support.dkim_material import RSA_PEM
from unit.support.lookups import answer, lookup, update
from unit.support.prying import CONFINED, FREE, PRYING, status
from unit.support.sqlite_files import create, settings, write
from unit.support.table_child import TableChild
from unit.support.talk import TEMPFAIL, data, request, result

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"this machine has no sandbox: {missing()}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="reads the status of processes that hide it"),
]

UNKNOWN = {"NoNewPrivs": "1", "Seccomp": "0"}
"""The status of a program whose needs nobody has said."""
PLAIN = """
class Some(Filter):
    def on_noop(self, session, request):
        open("/etc/passwd").close()
        return PROCEED
"""
STATED = f"from opensmtpd.needs import Needs\n{PLAIN}    needs = Needs()\n"
THREADS = """
    def on_help(self, session, request):
        return Offload(lambda: open("/etc/passwd").close() or PROCEED)
    async def on_connect(self, session, request):
        return await asyncio.to_thread(lambda: open("/etc/passwd").close() or PROCEED)
"""


@pytest.mark.parametrize(
    ("source", "argv", "expected"),
    [
        (STATED, [], CONFINED),
        (PLAIN, [], UNKNOWN),
        (STATED, ["--no-sandbox"], FREE),
        (PLAIN, ["--no-sandbox"], FREE),
    ],
)
def test_a_filter(tmp_path: Path, source: str, argv: list[str], expected: dict[str, str]) -> None:
    with Child(tmp_path, source, *argv) as child:
        child.hello()
        assert status(child.process.pid) == expected
        child.send(request(b"noop"))
        refused = expected is CONFINED
        assert child.lines() == [result(TEMPFAIL if refused else b"proceed")]
        if refused:
            assert "PermissionError" in child.log()
        assert child.end()[0] == 0


def test_its_threads_are_confined(tmp_path: Path) -> None:
    with Child(tmp_path, STATED + THREADS) as child:
        child.hello()
        connect = request(b"connect", b"<unknown>|203.0.113.9")
        for asked in (request(b"help"), connect):
            child.send(asked)
            assert child.lines() == [result(TEMPFAIL)]
        status, _, log = child.end()
        assert (status, log.count("PermissionError")) == (0, 2)
        assert "sandbox-missing" not in log


def test_what_it_needs_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "clients"
    path.write_text("")
    source = STATED.replace("/etc/passwd", str(path)).replace(
        "Needs()", f"Needs(reads=({str(path)!r},))"
    )
    with Child(tmp_path, source) as child:
        child.hello()
        new = path.with_name("new")
        new.write_text("")
        new.rename(path)
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]


def test_check_confines_nothing(tmp_path: Path) -> None:
    with Child(tmp_path, STATED, "-n") as child:
        code, _, log = child.wait()
        assert (code, log) == (0, "")


TICKING = """
import sys
from opensmtpd.needs import Needs
from opensmtpd.timers import every

sys.modules.pop("socket", None)

class Some(Table):
    services = frozenset([Service.ALIAS])
    needs = Needs()
    ticks = 0

    @every(0.01)
    def tick(self):
        self.ticks += 1

    def lookup(self, service, key):
        return f"{self.ticks > 0}"
"""


def test_a_table_without_workers_ticks(tmp_path: Path) -> None:
    """What its loop uses was loaded before: in the sandbox nothing can be loaded any more."""
    with TableChild(tmp_path, TICKING) as child:
        child.hello()
        assert status(child.process.pid) == CONFINED
        for _ in range(100):
            child.send(lookup())
            if child.lines() == [answer(b"found|True")]:
                break
            select.select([], [], [], 0.01)
        else:
            pytest.fail("it never ticked")
        assert child.end()[0] == 0


def dkimsign(folder: Path, *more: str) -> Child:
    key = folder / "example.com.key"
    key.write_text(RSA_PEM)
    key.chmod(0o600)
    argv = ["-d", "example.com", "-s", "mail", "-k", str(key), *more]
    main = "\nfrom opensmtpd_filters.dkimsign import main\nmain()\n"
    return Child(folder, "", *argv, main=main)


def test_dkimsign_spools_and_reloads(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    with dkimsign(keys) as child:
        child.hello()
        assert status(child.process.pid) == CONFINED
        body = [b"x" * 70] * 80_000  # more than stays in memory
        child.send(data(b"From: a@example.com", b"", *body, b"."))
        assert b"DKIM-Signature: " in child.until(b"|.\n")
        new = keys / "new"
        new.write_text(RSA_PEM)
        new.chmod(0o600)
        new.rename(keys / "example.com.key")
        child.hang_up()
        while "reload" not in (line := child.log()):
            pass
        assert line == "reloaded"
        child.send(data(b"From: a@example.com", b"", b"."))
        assert b"DKIM-Signature: " in child.until(b"|.\n")
        assert child.end()[0] == 0


def flat(folder: Path, path: Path) -> TableChild:
    main = "\nfrom opensmtpd_tables.flat import main\nmain()\n"
    return TableChild(folder, "", str(path), main=main)


def test_flat_reads_a_file_of_a_shared_folder_again(tmp_path: Path) -> None:
    """The folder is /var/tmp: of all in it, the table reads its own file only."""
    with TemporaryDirectory(dir="/var/tmp") as aside:
        path = Path(f"/var/tmp/{Path(aside).name}-aliases")
        try:
            path.write_text("alice: bob\n")
            with flat(tmp_path, path) as child:
                child.hello()
                assert status(child.process.pid) == CONFINED
                new = Path(aside) / "new"
                new.write_text("alice: carol\n")
                new.rename(path)
                child.send(update(), lookup())
                assert child.lines(2) == [answer(b"ok", b"update"), answer(b"found|carol")]
                path.unlink()
                child.send(update(), lookup())
                refused, found = child.lines(2)
                assert b"|error|" in refused
                assert found == answer(b"found|carol")
                code, _, log = child.end()
                assert code == 0
                assert "No such file or directory" in log
        finally:
            path.unlink(missing_ok=True)


def test_what_opens_files_ends_with_its_front(tmp_path: Path) -> None:
    """It is stopped, as the worker below."""
    with NamedTemporaryFile("w", dir="/var/tmp") as file:
        file.write("alice: bob\n")
        file.flush()
        with flat(tmp_path, Path(file.name)) as child:
            child.hello()
            front = child.process.pid
            pids = Path(f"/proc/{front}/task/{front}/children").read_text().split()
            openers = [os.pidfd_open(int(pid)) for pid in pids]
            assert len(openers) == 2
            for pid in pids:
                os.kill(int(pid), signal.SIGSTOP)
            child.process.kill()
            for opener in openers:
                assert select.select([opener], [], [], PATIENCE)[0] == [opener]
                os.close(opener)


def test_flat_without_a_sandbox(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("# @sandbox no\nalice: bob\n")
    with flat(tmp_path, path) as child:
        child.hello()
        assert status(child.process.pid) == FREE
    path.write_text("# @sandbox off\nalice: bob\n")
    with flat(tmp_path, path) as child:
        assert "@sandbox" in child.wait()[2]


@pytest.mark.parametrize("line", ["", "# @sandbox no\n"])
def test_passwd(tmp_path: Path, line: str) -> None:
    path = tmp_path / "users"
    path.write_text(f"{line}alice:x:1000:1000:A:/home/alice:/bin/sh\n")
    main = "\nfrom opensmtpd_tables.passwd import main\nmain()\n"
    with TableChild(tmp_path, "", str(path), main=main) as child:
        child.hello()
        assert status(child.process.pid) == (FREE if line else CONFINED)
        new = path.with_name("new")
        new.write_text("alice:x:1001:1000:A:/home/alice:/bin/sh\n")
        new.rename(path)
        child.send(update(), lookup(service=b"userinfo"))
        assert child.lines(2)[1] == answer(b"found|1001:1000:/home/alice")


@pytest.mark.parametrize("sandbox", [(), ("sandbox no",)])
def test_sqlite(tmp_path: Path, sandbox: tuple[str, ...]) -> None:
    path = tmp_path / "rows.db"
    create(path, alice="first")
    query = "query_alias SELECT value FROM rows WHERE key = ?"
    conf = settings(path, query, *sandbox)
    main = "\nfrom opensmtpd_tables.sqlite import main\nmain()\n"
    with TableChild(tmp_path, "", str(conf), main=main) as child:
        child.hello()
        assert status(child.process.pid) == (FREE if sandbox else CONFINED)
        child.send(lookup())
        assert child.lines() == [answer(b"found|first")]
        write(path, "UPDATE rows SET value = 'second'")
        child.send(lookup())
        assert child.lines() == [answer(b"found|second")]
        other = tmp_path / "other.db"
        other.write_bytes(path.read_bytes())
        write(other, "UPDATE rows SET value = 'third'")
        other.rename(path)
        child.send(lookup())
        assert child.lines() == [answer(b"found|third")]
        code, _, log = child.end()
        assert (code, "sandbox" in log) == (0, False)


POOLED = f"""
sys.path.append({str(Path(__file__).parents[1])!r})
from opensmtpd.needs import Needs
from opensmtpd.worker import Pool
class Some(Filter):
    needs = Needs()
    def __init__(self):
        self.pool = Pool({PRYING!r}, sys.argv[0])
    def on_noop(self, session, request):
        return self.pool.ask("pid").then(lambda pid: Reject(550, str(pid)))
"""


def test_a_worker_that_hangs_ends_with_its_front(tmp_path: Path) -> None:
    """It is stopped, so that it does not see that the front is gone: the system must end it."""
    with Child(tmp_path, POOLED) as child:
        child.hello()
        assert status(child.process.pid) == CONFINED
        child.send(request(b"noop"))
        pid = int(child.lines()[0].split()[-1])
        assert status(pid) == CONFINED
        worker = os.pidfd_open(pid)
        os.kill(pid, signal.SIGSTOP)
        child.process.kill()
        assert select.select([worker], [], [], PATIENCE)[0] == [worker]
        os.close(worker)
