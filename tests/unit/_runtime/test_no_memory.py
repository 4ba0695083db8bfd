"""No memory, at any line of the loops: the process lives, and each request has its one answer."""

import asyncio
import os
import socket
import traceback
from pathlib import Path

import pytest

from opensmtpd import _runtime, run
from opensmtpd._protocol import dispatch, jobs
from opensmtpd.answer import Answer, Offload
from opensmtpd.filter import (
    PROCEED,
    CommitDecision,
    Filter,
    Help,
    MailFrom,
    Noop,
    ParameterDecision,
    Session,
)
from opensmtpd.options import filter_parser
from unit.support.child import Child
from unit.support.no_memory import strike
from unit.support.table_child import TableChild
from unit.support.talk import HELLO, TEMPFAIL, request, result

SESSIONS = tuple(b"%016x" % number for number in (1, 2, 3))
LOOPS = (*_runtime.__path__, *(str(Path(str(each.__file__))) for each in (dispatch, jobs)))


class Offloads(Filter):
    """Strikes where it is asked for help."""

    number = -1
    struck: list[str]

    def on_help(self, session: Session, request: Help) -> CommitDecision:
        self.struck = strike(self.number, *LOOPS)
        return PROCEED

    def on_noop(self, session: Session, request: Noop) -> CommitDecision:
        os.write(2, "".join(self.struck).encode())
        return PROCEED

    def on_mail_from(self, session: Session, request: MailFrom) -> Answer[ParameterDecision]:
        return Offload(lambda: PROCEED)


class Waits(Offloads):
    """Does the same on asyncio."""

    async def on_mail_from(self, session: Session, request: MailFrom) -> ParameterDecision:
        await asyncio.sleep(0.001)
        return PROCEED


def talk(kind: type[Offloads], number: int) -> tuple[list[bytes], int, str]:
    """Return the answers of a process in which memory ended once, its status, and its log."""
    ours, theirs = socket.socketpair()
    log, their_log = os.pipe()
    child = os.fork()
    if child == 0:
        for fd, end in enumerate((theirs.fileno(), theirs.fileno(), their_log)):
            os.dup2(end, fd)
        ours.close()
        os.close(log)
        kind.number = number
        try:
            run.filter(lambda _: kind(), filter_parser("x", "x"), ["--deadline", "1"])
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(3)
    theirs.close()
    os.close(their_log)
    with ours, ours.makefile("rb") as lines, open(log, encoding="utf-8") as errors:
        ours.settimeout(60)
        ours.sendall(HELLO)
        while next(lines) != b"register|ready\n":
            pass
        ours.sendall(request(b"help"))
        found = [next(lines, b"")]
        ours.sendall(b"".join(request(b"mail-from", b"a@b", session=each) for each in SESSIONS))
        found += [next(lines, b"") for _ in SESSIONS]
        ours.sendall(request(b"noop"))
        found.append(next(lines, b""))
        ours.shutdown(socket.SHUT_WR)
        found += list(lines)
        _, status = os.waitpid(child, 0)
        return found, status, errors.read()


@pytest.mark.parametrize("kind", [Offloads, Waits])
def test_no_memory_at_any_line_of_the_loops(kind: type[Offloads]) -> None:
    number, failed = 0, []
    while True:
        (helped, *asked, last), status, log = talk(kind, number)
        assert (helped, last) == (result(b"proceed"), result(b"proceed")), log
        for each in SESSIONS:
            given = [line for line in asked if each in line]
            wanted = [result(answer, session=each) for answer in (b"proceed", TEMPFAIL)]
            if len(given) != 1 or given[0] not in wanted:
                failed.append(f"{log}: {given}")
        if status:
            failed.append(f"{log}: status {status}")
        if not log.strip():
            break
        number += 1
    assert not failed
    assert number > 20


# --- the system has none for the bytes ------------------------------------------------------------

ONCE = """
class Once:
    def __init__(self, name, error):
        self.call, self.error = getattr(os, name), error
        setattr(os, name, self)
    def __call__(self, fd, more):
        if self.error is not None and stat.S_ISSOCK(os.fstat(fd).st_mode):
            error, self.error = self.error, None
            raise error
        return self.call(fd, more)
"""
ERRORS = ["MemoryError()", "OSError(errno.ENOBUFS, 'no')", "OSError(errno.ENOMEM, 'no')"]


@pytest.mark.parametrize("name", ["read", "write"])
@pytest.mark.parametrize("error", ERRORS)
def test_no_memory_for_the_bytes_of_a_filter(tmp_path: Path, name: str, error: str) -> None:
    source = f"""
import errno, stat
{ONCE}
class Some(Filter):
    def on_help(self, session, request):
        Once({name!r}, {error})
        return PROCEED
"""
    with Child(tmp_path, source) as child:
        child.hello()
        for _ in range(3):
            child.send(request(b"help"))
            assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize("name", ["read", "write"])
@pytest.mark.parametrize("error", ERRORS)
def test_no_memory_for_the_bytes_of_a_table(tmp_path: Path, name: str, error: str) -> None:
    source = f"""
import errno, os, stat
{ONCE}
class Some(Table):
    services = (Service.ALIAS,)
    def lookup(self, service, key):
        return key
Once({name!r}, {error})
"""
    with TableChild(tmp_path, source) as child:
        child.hello()
        for number in (b"1", b"2", b"3"):
            child.send(b"table|0.1|1.0|aliases|lookup|alias|%s|key\n" % number)
            assert child.lines() == [b"lookup-result|%s|found|key\n" % number]
        assert child.end() == (0, b"", "")
