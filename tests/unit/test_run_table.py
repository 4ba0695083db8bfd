"""Tables as real processes: what smtpd and an administrator see of them."""

import struct
from pathlib import Path

import pytest

from opensmtpd import run
from opensmtpd.options import table_parser
from opensmtpd.table import Table
from unit.support.lookups import answer, check, fetch, lookup, update
from unit.support.processes import CHECKED
from unit.support.table_child import TableChild

ONE, TWO, THREE = b"00000001", b"00000002", b"00000003"
ROWS = """
class Some(Table):
    services = (Service.ALIAS, Service.SOURCE)
    def lookup(self, service, key):
        return key.upper() or None
"""
MIXED = """
from opensmtpd._protocol.table.connection import TableConnection
TableConnection.__init__.__kwdefaults__["deadline"] = 0.5
watchdog.STALL = 0.2
class Some(Table):
    services = (Service.ALIAS, Service.AUTH)
    def lookup(self, service, key):
        if service is Service.AUTH:
            return "*"
        if key.startswith("thread"):
            return Offload(lambda: self.work(key))
        if key.startswith("task"):
            return self.task(key)
        if key == "block":
            time.sleep(3600)
        return key
    def work(self, key):
        if key == "thread-stuck":
            time.sleep(3600)
        return key
    async def task(self, key):
        await asyncio.sleep(3600 if key == "task-stuck" else 0)
        if key == "task-block":
            while True:
                pass
        return key
"""


def asked(child: TableChild, *keys: bytes) -> list[bytes]:
    """Send lookups at once; return what stands behind the id in each answer."""
    ids = [b"%08x" % number for number in range(len(keys))]
    child.send(*(lookup(key, id=id) for key, id in zip(keys, ids, strict=True)))
    texts = []
    for id, line in zip(ids, child.lines(len(keys)), strict=True):
        head = b"lookup-result|%s|" % id
        assert line.startswith(head)
        texts.append(line.removeprefix(head).rstrip(b"\n"))
    return texts


# --- from one loop to the next --------------------------------------------------------------------


def test_threads_from_the_first_offload_on(tmp_path: Path) -> None:
    with TableChild(tmp_path, MIXED) as child:
        child.hello()
        assert asked(child, b"a", b"thread", b"b") == [b"found|a", b"found|thread", b"found|b"]
        assert asked(child, b"c") == [b"found|c"]
        assert asked(child, *[b"thread"] * 50) == [b"found|thread"] * 50
        assert child.end() == (0, b"", "")


def test_asyncio_from_the_first_coroutine_on(tmp_path: Path) -> None:
    with TableChild(tmp_path, MIXED) as child:
        child.hello()
        keys = [b"a", b"task", b"b", b"thread", b"c"]
        assert asked(child, *keys) == [b"found|" + key for key in keys]
        assert asked(child, b"d") == [b"found|d"]
        assert asked(child, *[b"task"] * 50) == [b"found|task"] * 50
        assert child.end() == (0, b"", "")


AUTH = """
import argparse
from opensmtpd import answer
class Some(Table):
    services = {services}
    def lookup(self, service, key):
        return "*" if service is Service.AUTH else str(len(answer.sources()))
"""


def test_passwords_are_checked_by_a_worker_that_is_there_at_start(tmp_path: Path) -> None:
    source = AUTH.format(services="(Service.ALIAS, Service.AUTH)")
    with TableChild(tmp_path, source) as child:
        assert child.hello() == b"register|alias\nregister|auth\nregister|ready\n"
        assert asked(child, b"a") == [b"found|1"]
        child.send(check(b"alice:x", b"auth", ONE), lookup(b"a", id=TWO))
        assert child.lines(2) == [answer(b"not-found", b"check", ONE), answer(b"found|1", id=TWO)]
        assert child.end() == (0, b"", "")


SERVER = """
import argparse
from opensmtpd import answer
class Some(Table):
    services = (Service.ALIAS, Service.AUTH)
    def lookup(self, service, key):
        return str(len(answer.sources()))
    def authenticate(self, user, password):
        return password == "right"
"""


def test_a_table_that_judges_passwords_itself_has_no_worker(tmp_path: Path) -> None:
    with TableChild(tmp_path, SERVER) as child:
        assert child.hello() == b"register|alias\nregister|auth\nregister|ready\n"
        assert asked(child, b"a") == [b"found|0"]
        child.send(check(b"alice:right", b"auth", ONE), check(b"alice:x", b"auth", TWO))
        assert child.lines(2) == [
            answer(b"found", b"check", ONE),
            answer(b"not-found", b"check", TWO),
        ]
        assert child.end() == (0, b"", "")


def test_a_table_without_auth_has_no_worker(tmp_path: Path) -> None:
    with TableChild(tmp_path, AUTH.format(services="(Service.ALIAS,)")) as child:
        child.hello()
        assert asked(child, b"a") == [b"found|0"]
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize("first", [b"a", b"thread", b"task"])
@pytest.mark.parametrize("stuck", [b"block", b"thread-stuck", b"task-stuck", b"task-block"])
def test_what_does_not_end_is_answered_in_time(tmp_path: Path, first: bytes, stuck: bytes) -> None:
    with TableChild(tmp_path, MIXED) as child:
        child.hello()
        # One after the other, as smtpd asks: the time for those sent at once begins for all alike.
        texts = [asked(child, key)[0] for key in (first, stuck, b"task", stuck, b"z")]
        assert [texts[0], texts[2], texts[4]] == [b"found|" + first, b"found|task", b"found|z"]
        for text in (texts[1], texts[3]):
            if stuck.endswith(b"stuck"):
                assert text == b"error|no answer within 0.5 s"
            else:
                name = b"lookup" if stuck == b"block" else b"coroutine"
                assert text.startswith(b"error|%s blocked for 0.2 s in line " % name)
        status, out, log = child.end()
        assert (status, out) == (0, b"")
        assert log.count("lookup-failed table=aliases service=alias error=HandlerTimeout") == 2


@pytest.mark.parametrize("key", [b"thread-stuck", b"task-stuck"])
def test_smtpd_is_gone_while_work_is_under_way(tmp_path: Path, key: bytes) -> None:
    source = MIXED.replace('["deadline"] = 0.5', '["deadline"] = 3600')
    source = source.replace("time.sleep(3600)", 'log("x"); time.sleep(3600)')
    source = source.replace("await asyncio", 'log("x"); await asyncio')
    with TableChild(tmp_path, source) as child:
        child.hello()
        child.send(lookup(key))
        assert child.log() == "x"
        child.socket.close()
        assert child.process.wait(20) == 0
        assert child.errors.read() == ""


# --- the command line -----------------------------------------------------------------------------

BAD = """
def make(options):
    raise ConfigError("no such key", path=options.path, line=7, remedy="make one")
run.table(make, table_parser("table-x", "A table."))
"""
REASON = "/etc/mail/table:7: no such key; make one"


@pytest.mark.parametrize("argv", [["/etc/mail/table"], ["-n", "/etc/mail/table"]])
def test_configuration_that_cannot_be_used(tmp_path: Path, argv: list[str]) -> None:
    with TableChild(tmp_path, "", *argv, main=BAD) as child:
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log == f"table-x: {REASON}\n"


def test_why_it_does_not_start_is_in_syslog(tmp_path: Path) -> None:
    with TableChild(tmp_path, "", main=BAD, listen=True) as child:
        line = child.system_log()
        assert line.startswith(f"<21>table-x[{child.process.pid}]: ")
        assert REASON in line
        assert child.wait()[0] == 1


@pytest.mark.parametrize("argv", [["-n", "/x"], ["/x", "--check"]])
def test_check(tmp_path: Path, argv: list[str]) -> None:
    with TableChild(tmp_path, ROWS, *argv) as child:
        assert child.wait() == (0, f"table-x: {CHECKED}\n".encode(), "")


@pytest.mark.parametrize("argv", [["-n"], ["/x", "/y"], ["--bogus", "/x"], ["--deadline=1", "/x"]])
def test_a_wrong_command_line(tmp_path: Path, argv: list[str]) -> None:
    with TableChild(tmp_path, ROWS, *argv, listen=True) as child:
        status, out, log = child.wait()
        assert (status, out) == (2, b"")
        assert log.startswith("table-x: ")
        assert child.system_log() == f"<21>table-x[{child.process.pid}]: {log[9:-1]}"


def test_main_returns_to_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    from opensmtpd import log

    with pytest.raises(SystemExit) as caught:
        run.table(lambda _: Table(), table_parser("table-x", ""), ["-n", "/x"])
    log._send = None
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"table-x: {CHECKED}\n"


def test_a_table_that_serves_nothing(tmp_path: Path) -> None:
    with TableChild(tmp_path, "class Some(Table):\n    pass\n") as child:
        child.send(b"config|ready\n")
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log == "table-x: a table without a service that this smtpd can use\n"


@pytest.mark.parametrize("argv", [["/x"], ["-n", "/x"]])
def test_services_that_are_none(tmp_path: Path, argv: list[str]) -> None:
    with TableChild(tmp_path, ROWS.replace("Service.SOURCE", "'sauce'"), *argv) as child:
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log.startswith("table-x: Some.services: no service is 'sauce', but alias, domain, ")
        assert log.endswith("; did you mean source?\n")


@pytest.mark.parametrize("argv", [["/x"], ["-n", "/x"]])
def test_a_method_that_is_misspelt(tmp_path: Path, argv: list[str]) -> None:
    with TableChild(tmp_path, ROWS.replace("lookup", "look_up"), *argv) as child:
        assert child.wait() == (
            1,
            b"",
            "table-x: Some has neither lookup nor check; is look_up one of them, misspelt?\n",
        )


# --- signals, and what is printed -----------------------------------------------------------------


@pytest.mark.parametrize("first", [b"a", b"thread", b"task"])
def test_a_hangup_means_nothing(tmp_path: Path, first: bytes) -> None:
    with TableChild(tmp_path, MIXED) as child:
        child.hello()
        assert asked(child, first) == [b"found|" + first]
        for _ in range(3):
            child.hang_up()
            assert asked(child, b"a") == [b"found|a"]
        assert child.end() == (0, b"", "")


def test_another_protocol_is_one_line_and_the_end(tmp_path: Path) -> None:
    with TableChild(tmp_path, ROWS, listen=True) as child:
        child.send(struct.pack("=IHHIII", 2, 2068, 0, 0, 4711, 2))
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        text = "smtpd speaks another table protocol; tables need smtpd 7.6 or later"
        assert log == f"table-x: {text}\n"
        assert child.system_log() == f"<21>table-x[{child.process.pid}]: {text}"


def test_what_a_table_prints_goes_to_the_log_and_never_to_smtpd(tmp_path: Path) -> None:
    source = """
import subprocess
class Some(Table):
    services = (Service.ALIAS,)
    def lookup(self, service, key):
        print("debug", flush=True)
        subprocess.run(["sh", "-c", "cat; echo from a child"])
        return sys.stdin.read() or "end of file"
"""
    with TableChild(tmp_path, source) as child:
        child.hello()
        child.send(lookup())
        assert child.lines() == [answer(b"found|end of file")]
        assert [child.log(), child.log()] == ["debug", "from a child"]


@pytest.mark.parametrize("error", ["sys.exit(0)", "raise KeyboardInterrupt", "raise MemoryError"])
def test_nothing_that_a_table_raises_ends_it(tmp_path: Path, error: str) -> None:
    source = f"""
class Some(Table):
    services = (Service.ALIAS, Service.SOURCE)
    def lookup(self, service, key):
        {error}
    def fetch(self, service):
        {error}
    def update(self):
        {error}
"""
    with TableChild(tmp_path, source) as child:
        child.hello()
        for line in (lookup(), check(), fetch(), update()):
            child.send(line)
            assert b"|error|" in child.lines()[0]
            assert "-failed table=aliases " in child.log()
        assert child.end() == (0, b"", "")


# --- syslog ---------------------------------------------------------------------------------------

FAILS = """
class Some(Table):
    services = (Service.ALIAS,)
    def lookup(self, service, key):
        if key == "alice":
            return "alice"
        raise OSError("secret")
"""


def test_what_is_logged_goes_to_syslog_too(tmp_path: Path) -> None:
    with TableChild(tmp_path, FAILS, listen=True) as child:
        child.hello()
        child.send(lookup(b"x"))
        assert child.lines() == [answer(b"error|OSError")]
        line = child.log()
        assert line.startswith("lookup-failed table=aliases service=alias error=OSError")
        assert child.system_log() == f"<21>table-x[{child.process.pid}]: {line}"


def test_without_syslog_it_goes_on(tmp_path: Path) -> None:
    with TableChild(tmp_path, FAILS) as child:
        child.hello()
        assert asked(child, b"x", b"alice") == [b"error|OSError", b"found|alice"]
        child.syslog.bind(str(tmp_path / "log"))  # it comes up
        assert asked(child, b"x") == [b"error|OSError"]
        assert " lookup-failed " in child.system_log()
        child.syslog.close()  # and goes down
        assert asked(child, b"x", b"alice") == [b"error|OSError", b"found|alice"]


def test_a_syslog_that_is_stuck_keeps_nobody_waiting(tmp_path: Path) -> None:
    source = f"log_module.LINES_MAX = 10000\n{FAILS}"
    with TableChild(tmp_path, source, listen=True) as child:
        child.hello()
        for _ in range(30):  # more than a socket that nobody reads takes
            assert asked(child, *[b"x"] * 100) == [b"error|OSError"] * 100
        child.syslog.setblocking(False)
        taken = 0
        try:
            while child.system_log():
                taken += 1
        except BlockingIOError:
            assert 0 < taken < 3000
        child.syslog.settimeout(20)
        assert asked(child, b"x") == [b"error|OSError"]
        assert " lookup-failed " in child.system_log()


# --- tracebacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["lookup", "update"])
def test_debug_logs_tracebacks_without_rows(tmp_path: Path, verb: str) -> None:
    source = """
class Some(Table):
    services = (Service.ALIAS,)
    def lookup(self, service, key):
        try:
            raise KeyError("secret")
        except KeyError as error:
            raise ValueError("secret") from error
    def update(self):
        self.lookup(None, None)
"""
    asked = {"lookup": lookup(), "update": update()}[verb]
    with TableChild(tmp_path, source, "/etc/mail/table", "--debug") as child:
        child.hello()
        child.send(asked)
        assert child.lines() == [answer(b"error|ValueError", verb.encode())]
        status, out, log = child.end()
        assert (status, out) == (0, b"")
        assert "secret" not in log
        lines = log.splitlines()
        assert lines[0].startswith(f"{verb}-failed table=aliases ")
        assert " at=filter.py:" in lines[0]
        assert "/filter.py:" in lines[-3]
        assert lines[-3].endswith(" in=Some.lookup")
        assert lines[-2] == "traceback cause=KeyError"
        assert lines[-1].endswith(" in=Some.lookup")
