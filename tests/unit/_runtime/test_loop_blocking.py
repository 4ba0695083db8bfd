"""The plain loop of tables as a process: read, answer, write."""

import os
import select
import signal
import socket
from pathlib import Path

import pytest

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd._runtime.loop_blocking import serve_blocking
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import SmtpdGone
from unit.support.lookups import HELLO, Rows, answer, check, fetch, lookup, request, update
from unit.support.table_child import TableChild

ONE, TWO, THREE = b"00000001", b"00000002", b"00000003"
ROWS = """
class Some(Table):
    services = (Service.ALIAS, Service.DOMAIN, Service.SOURCE)
    def lookup(self, service, key):
        return {"alice": "bob@example.org", "*.example.org": "x"}.get(key)
    def fetch(self, service):
        return "192.0.2.1"
"""


def test_a_conversation(tmp_path: Path) -> None:
    with TableChild(tmp_path, ROWS) as child:
        assert child.hello() == (
            b"register|alias\nregister|domain\nregister|source\nregister|ready\n"
        )
        for line, said in [
            (lookup(), answer(b"found|bob@example.org")),
            (lookup(b"bob"), answer(b"not-found")),
            (check(b"a.example.org", b"domain"), answer(b"found", b"check")),
            (fetch(), answer(b"found|192.0.2.1", b"fetch")),
            (update(), answer(b"ok", b"update")),
            (request(b"delete", b"x"), b""),
        ]:
            child.send(line)
            if said:
                assert child.lines() == [said]
        assert child.log() == 'line-ignored reason="an unknown request"'
        assert child.end() == (0, b"", "")


def test_input_in_pieces(tmp_path: Path) -> None:
    with TableChild(tmp_path, ROWS) as child:
        for byte in HELLO:
            child.send(bytes([byte]))
        child.until(b"register|ready\n")
        for byte in lookup() + lookup(b"bob"):
            child.send(bytes([byte]))
        assert child.lines(2) == [answer(b"found|bob@example.org"), answer(b"not-found")]


def test_many_requests_at_once(tmp_path: Path) -> None:
    with TableChild(tmp_path, ROWS) as child:
        child.hello()
        ids = [b"%08x" % number for number in range(1000)]
        child.send(*(lookup(id=id) for id in ids))
        assert child.lines(1000) == [answer(b"found|bob@example.org", id=id) for id in ids]
        assert child.end() == (0, b"", "")


def test_what_smtpd_takes_in_pieces_is_written_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal can cut a write short."""
    before = signal.getsignal(signal.SIGALRM)
    write = os.write
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(HELLO + lookup() * 3)
        ours.shutdown(socket.SHUT_WR)
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
        try:
            connection = TableConnection(Rows("alice"))
            watchdog = Watchdog(connection.dispatcher)
            with pytest.raises(SmtpdGone):
                serve_blocking(connection, theirs.fileno(), theirs.fileno(), watchdog)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        theirs.close()
        said = ours.makefile("rb").read()
    assert said.endswith(b"register|ready\n" + answer(b"found|found it") * 3)


# --- lookups that block ---------------------------------------------------------------------------

BLOCKS = """
watchdog.STALL = 0.2
class Some(Table):
    services = (Service.ALIAS, Service.DOMAIN, Service.SOURCE)
    def lookup(self, service, key):
        if key == "alice":
            return "alice"
        try:
            while True:
                WAIT
        except Exception:
            pass
    def fetch(self, service):
        return self.lookup(service, "")
"""


@pytest.mark.parametrize("wait", ["pass", "time.sleep(3600)", "os.read(os.pipe()[0], 1)"])
def test_a_lookup_that_blocks_is_interrupted(tmp_path: Path, wait: str) -> None:
    with TableChild(tmp_path, BLOCKS.replace("WAIT", wait)) as child:
        child.hello()
        child.send(lookup(b"x", id=ONE))
        [said] = child.lines()
        assert said.startswith(answer(b"error|lookup blocked for 0.2 s in line ", id=ONE)[:-1])
        child.send(lookup(id=TWO), check(b"x.example.org", b"domain", THREE), fetch(), lookup())
        first, second, third, fourth = child.lines(4)
        assert first == answer(b"found|alice", id=TWO)
        assert second.startswith(answer(b"error|check blocked for ", b"check", THREE)[:-1])
        assert third.startswith(answer(b"error|fetch blocked for ", b"fetch")[:-1])
        assert fourth == answer(b"found|alice")
        for verb in ("lookup", "check", "fetch"):
            line = child.log()
            assert line.startswith(f"{verb}-failed table=aliases service=")
            assert f' reason="{verb} blocked for 0.2 s in line ' in line
            assert line.endswith('/filter.py"')
        assert child.end() == (0, b"", "")


def test_many_quick_calls_are_not_taken_for_one_that_blocks(tmp_path: Path) -> None:
    source = """
watchdog.STALL = 0.1
class Some(Table):
    services = (Service.ALIAS,)
    def lookup(self, service, key):
        time.sleep(0.01)
        return key
"""
    with TableChild(tmp_path, source) as child:
        child.hello()
        child.send(lookup() * 50)
        assert child.lines(50) == [answer(b"found|alice")] * 50
        assert child.end() == (0, b"", "")


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", [b"", HELLO[:30], HELLO, HELLO + lookup()[:-1], HELLO + lookup()], ids=len
)
def test_smtpd_stops_talking(tmp_path: Path, said: bytes) -> None:
    with TableChild(tmp_path, ROWS) as child:
        child.send(said)
        status, out, log = child.end()
        assert (status, log) == (0, "")
        assert out.endswith((b"", b"register|ready\n", answer(b"found|bob@example.org")))


@pytest.mark.parametrize("said", [b"", HELLO, HELLO + lookup(), HELLO + lookup() * 20_000], ids=len)
def test_smtpd_is_gone(tmp_path: Path, said: bytes) -> None:
    with TableChild(tmp_path, ROWS) as child:
        child.socket.setblocking(False)
        child.socket.send(said)  # as much as there is room for
        child.socket.close()
        assert child.process.wait(20) == 0
        assert child.errors.read() == ""


def test_smtpd_is_gone_without_having_read_our_answer(tmp_path: Path) -> None:
    with TableChild(tmp_path, ROWS) as child:
        child.send(HELLO)
        select.select([child.socket], [], [], 20)
        child.socket.close()  # the other end's next read is a reset
        assert child.process.wait(20) == 0
        assert child.errors.read() == ""


def test_smtpd_is_gone_while_a_lookup_is_at_work(tmp_path: Path) -> None:
    source = """
class Some(Table):
    services = (Service.ALIAS,)
    def lookup(self, service, key):
        log("looking")
        os.read(os.open(PIPE, os.O_RDONLY), 1)
        return "x"
"""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with TableChild(tmp_path, f"PIPE = {str(pipe)!r}\n" + source) as child:
        child.hello()
        child.send(lookup())
        assert child.log() == "looking"
        child.socket.close()
        pipe.write_bytes(b"x")
        assert child.process.wait(20) == 0
        assert child.errors.read() == ""


def test_a_protocol_that_we_do_not_speak(tmp_path: Path) -> None:
    with TableChild(tmp_path, ROWS) as child:
        child.send(b"config|protocol|0.2\n")
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log == "table-x: smtpd speaks table protocol b'0.2', and we 0.1\n"
