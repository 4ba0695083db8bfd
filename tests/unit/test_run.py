"""The runner as a real process: what smtpd and an administrator see of it."""

from pathlib import Path

import pytest

from opensmtpd import run
from opensmtpd.filter import Filter
from opensmtpd.options import filter_parser
from unit.support.child import PREAMBLE, Child
from unit.support.processes import CHECKED
from unit.support.talk import HELLO, TEMPFAIL, data, datalines, request, result

NOOP = """
class Some(Filter):
    def on_noop(self, session, request):
        return PROCEED
"""
ECHO = """
class Some(Filter):
    def on_noop(self, session, request):
        return PROCEED
    def on_message(self, session):
        return None
"""
OTHER = b"1718c5e887ba5b41"


# --- start and end --------------------------------------------------------------------------------


def test_the_handshake_and_the_end(tmp_path: Path) -> None:
    with Child(tmp_path, NOOP) as child:
        assert child.hello() == (
            b"register|report|smtp-in|link-disconnect\n"
            b"register|filter|smtp-in|noop\nregister|ready\n"
        )
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]
        assert child.end() == (0, b"", "")


def test_the_end_before_the_handshake(tmp_path: Path) -> None:
    with Child(tmp_path, NOOP) as child:
        assert child.end() == (0, b"", "")


def test_smtpd_is_gone_while_we_have_something_to_say(tmp_path: Path) -> None:
    with Child(tmp_path, ECHO) as child:
        child.hello()
        child.send(data(*[b"x" * 1000] * 2000))
        child.socket.close()
        assert child.process.wait(20) == 0
        assert child.errors.read() == ""


def test_the_end_does_not_wait_for_a_thread(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    def on_noop(self, session, request):
        return Offload(self.work)
    def work(self):
        log("working")
        time.sleep(3600)
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(request(b"noop"))
        assert child.log() == "working"
        assert child.end() == (0, b"", "")


STOP = """
class Some(Filter):
    def on_noop(self, session, request):
        return %s
    async def later(self):
        return PROCEED
    def stop(self):
        log("stopped")
        raise ValueError
"""


@pytest.mark.parametrize("noop", ["PROCEED", "self.later()"])
def test_a_filter_has_a_last_word(tmp_path: Path, noop: str) -> None:
    """On the plain loop and on asyncio; what goes wrong in it is logged and changes nothing."""
    with Child(tmp_path, STOP % noop) as child:
        child.hello()
        child.send(request(b"noop"))
        assert child.lines() == [result(b"proceed")]
        status, output, log = child.end()
        assert (status, output) == (0, b"")
        failed = 'handler-failed handler=stop error=ValueError at=filter.py:19 reason=""'
        assert log == f"stopped\n{failed}\n"


def test_input_in_pieces(tmp_path: Path) -> None:
    with Child(tmp_path, ECHO) as child:
        for byte in HELLO:
            child.send(bytes([byte]))
        child.until(b"register|ready\n")
        for byte in data(b"A: 1", b".") + request(b"noop"):
            child.send(bytes([byte]))
        assert b"".join(child.lines(3)) == datalines(b"A: 1", b".") + result(b"proceed")


def test_a_protocol_too_old(tmp_path: Path) -> None:
    with Child(tmp_path, NOOP) as child:
        child.send(b"config|protocol|0.4\n")
        status, _, log = child.wait()
        assert (status, log) == (
            1,
            "filter-x: filter protocol 0.4 is older than 0.5 and not spoken\n",
        )


def test_a_filter_that_uses_what_sessions_have_not(tmp_path: Path) -> None:
    with Child(tmp_path, "class Some(Filter):\n    uses = ('rdsn',)\n") as child:
        status, _, log = child.wait()
        assert (status, log) == (
            1,
            "filter-x: Some.uses: a session has no 'rdsn', but rdns, fcrdns, source, destination,"
            " greeting, verb, identity, tls, username, msgid, sender, recipients;"
            " did you mean rdns?\n",
        )


def test_a_handler_that_is_misspelt(tmp_path: Path) -> None:
    source = "class Some(Filter):\n    def on_mesage(self, session):\n        return None\n"
    with Child(tmp_path, source, "-n") as child:
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log.endswith(
            "LocalError: Some.on_mesage: smtpd has no such event, so this would never be called;"
            " did you mean on_message?\n"
        )


# --- the command line -----------------------------------------------------------------------------

CONFIGURED = """
def make(options):
    raise ConfigError("no such key", path="/etc/keys", line=7, remedy="make one")
run.filter(make, filter_parser("filter-x", "A filter."))
"""


@pytest.mark.parametrize("argv", [[], ["-n"]])
def test_configuration_that_cannot_be_used(tmp_path: Path, argv: list[str]) -> None:
    with Child(tmp_path, "", *argv, main=CONFIGURED) as child:
        status, out, log = child.wait()
        assert (status, out) == (1, b"")
        assert log == "filter-x: /etc/keys:7: no such key; make one\n"


@pytest.mark.parametrize("option", ["-n", "--check"])
def test_check(tmp_path: Path, option: str) -> None:
    with Child(tmp_path, NOOP, option) as child:
        assert child.wait() == (0, f"filter-x: {CHECKED}\n".encode(), "")


@pytest.mark.parametrize("argv", [["--bogus"], ["--deadline", "0"], ["--on-failure", "x"]])
def test_a_wrong_command_line(tmp_path: Path, argv: list[str]) -> None:
    with Child(tmp_path, NOOP, *argv) as child:
        status, out, log = child.wait()
        assert (status, out) == (2, b"")
        assert log.startswith("filter-x: ")
        assert log.count("\n") == 1


def test_main_returns_to_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run.filter(lambda _: Filter(), filter_parser("filter-x", ""), ["-n"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"filter-x: {CHECKED}\n"


@pytest.mark.parametrize(
    ("argv", "answer"), [([], TEMPFAIL), (["--on-failure", "pass"], b"proceed")]
)
def test_on_failure(tmp_path: Path, argv: list[str], answer: bytes) -> None:
    source = """
class Some(Filter):
    def on_noop(self, session, request):
        sys.exit(1)
"""
    with Child(tmp_path, source, *argv) as child:
        child.hello()
        child.send(request(b"noop"))
        assert child.lines() == [result(answer)]
        assert child.log() == (
            "1718c5e591926d28 handler-failed handler=on_noop error=SystemExit"
            " at=filter.py:14 reason=1"
        )


# --- what failed, and where ----------------------------------------------------------------------

FAILS = """
import json
class Some(Filter):
    def on_noop(self, session, request):
        json.loads("[")
    def on_help(self, session, request):
        return Offload(self.decide)
    def decide(self):
        try:
            {}["key"]
        except KeyError as error:
            return Reject(1, "x")
    async def on_connect(self, session, request):
        await asyncio.sleep(0)
        asyncio.run(None)
    def on_auth(self, session, request):
        self.look_up(request.parameter)
    def look_up(self, password):
        try:
            raise KeyError(password)
        except KeyError as error:
            raise LocalError(f"no {password}") from error
    def reload(self):
        raise OSError("secret")
"""


def line_of(text: str) -> int:
    """Return the number of the line of the program that holds ``text``."""
    program = (PREAMBLE + FAILS).split("\n")
    return next(number for number, line in enumerate(program, 1) if text in line)


@pytest.mark.parametrize(
    ("asked", "handler", "text", "rest"),
    [
        (
            request(b"noop"),
            "on_noop error=JSONDecodeError",
            "json.loads",
            'reason="Expecting value: line 1 column 2 (char 1)"',
        ),
        (
            request(b"help"),
            "on_help error=DecisionError",
            "Reject(1",
            'reason="reply code 1 is not from 400 to 599"',
        ),
        (
            request(b"connect", b"localhost|127.0.0.1"),
            "on_connect error=RuntimeError",
            "asyncio.run",
            'reason="asyncio.run() cannot be called from a running event loop"',
        ),
    ],
)
def test_the_place_is_the_authors_own_line(
    tmp_path: Path, asked: bytes, handler: str, text: str, rest: str
) -> None:
    with Child(tmp_path, FAILS) as child:
        child.hello()
        child.send(asked)
        assert child.lines() == [result(TEMPFAIL)]
        assert child.log() == (
            f"1718c5e591926d28 handler-failed handler={handler} at=filter.py:{line_of(text)} {rest}"
        )
        assert child.end() == (0, b"", "")


def test_debug_logs_tracebacks(tmp_path: Path) -> None:
    with Child(tmp_path, FAILS, "--debug") as child:
        child.hello()
        child.send(request(b"help"))
        assert child.lines() == [result(TEMPFAIL)]
        file = tmp_path / "filter.py"
        core = Path(run.__file__).parent
        lines = [child.log()]
        while "KeyError" not in lines[-1]:
            lines.append(child.log())
        lines.append(child.log())
        head = "1718c5e591926d28 "
        assert all(line.startswith(head) for line in lines)
        shown = [line.removeprefix(head) for line in lines]
        assert shown[0].startswith("handler-failed handler=on_help error=DecisionError at=")
        assert shown[1].startswith(f"traceback at={core}/_runtime/threads.py:")
        assert shown[1].endswith(" in=Threads._end")
        assert shown[2] == f"traceback at={file}:{line_of('Reject(1')} in=Some.decide"
        assert shown[3].startswith(f"traceback at={core}/filter/decisions.py:")
        assert shown[3].endswith(" in=_Reply.__init__")
        assert shown[4:] == [
            "traceback cause=KeyError reason='key'",
            f"traceback at={file}:{line_of('key')} in=Some.decide",
        ]
        assert child.end() == (0, b"", "")


def test_debug_shows_no_password(tmp_path: Path) -> None:
    with Child(tmp_path, FAILS, "--debug") as child:
        child.hello()
        child.send(request(b"auth", b"PLAIN AGFsaWNlAHNlY3JldA=="))
        assert child.lines() == [result(TEMPFAIL)]
        status, out, log = child.end()
        assert (status, out) == (0, b"")
        assert "AGFsaWNlAHNlY3JldA" not in log
        file = tmp_path / "filter.py"
        shown = [line.removeprefix("1718c5e591926d28 ") for line in log.splitlines()]
        assert shown[0] == (
            "handler-failed handler=on_auth error=LocalError"
            f" at=filter.py:{line_of('raise LocalError')}"
        )
        assert "/_protocol/dispatch.py:" in shown[1]
        assert "/_protocol/dispatch.py:" in shown[2]
        assert shown[3:] == [
            f"traceback at={file}:{line_of('self.look_up')} in=Some.on_auth",
            f"traceback at={file}:{line_of('raise LocalError')} in=Some.look_up",
            "traceback cause=KeyError",
            f"traceback at={file}:{line_of('raise KeyError')} in=Some.look_up",
        ]


def test_debug_shows_why_a_reload_failed_and_no_text(tmp_path: Path) -> None:
    with Child(tmp_path, FAILS, "--debug") as child:
        child.hello()
        child.hang_up()
        lines = [child.log() for _ in range(4)]
        assert lines[0] == 'reload-failed error=OSError kept="the old configuration"'
        place = f"{tmp_path}/filter.py:{line_of('raise OSError')}"
        assert lines[-1] == f"traceback at={place} in=Some.reload"
        assert child.end() == (0, b"", "")


# --- SIGHUP ---------------------------------------------------------------------------------------

RELOADS = """
class Some(Filter):
    def __init__(self):
        self.answer = "first"
        self.acts = iter(ACTS)
    def on_noop(self, session, request):
        return Reject(550, self.answer)
    def reload(self):
        self.answer = next(self.acts)() or self.answer
def explode(error):
    raise error
"""


def test_reload(tmp_path: Path) -> None:
    with Child(tmp_path, RELOADS + "ACTS = [lambda: 'second', lambda: 'third']\n") as child:
        child.hello()
        for answer in (b"first", b"second", b"third"):
            child.send(request(b"noop"))
            assert child.lines() == [result(b"reject|550 " + answer)]
            if answer != b"third":
                child.hang_up()
                assert child.log() == "reloaded"
        assert child.end() == (0, b"", "")


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (
            "explode(ConfigError('bad key', path='keys', line=3))",
            'reason="keys:3: bad key"',
        ),
        ("explode(LocalError('no database'))", 'reason="no database"'),
        ("explode(ValueError('secret'))", "error=ValueError"),
        ("sys.exit('bad configuration')", "error=SystemExit"),
        ("explode(KeyboardInterrupt())", "error=KeyboardInterrupt"),
    ],
)
def test_a_reload_that_fails_keeps_the_old(tmp_path: Path, act: str, reason: str) -> None:
    source = RELOADS + f"ACTS = [lambda: {act}, lambda: 'second']\n"
    with Child(tmp_path, source) as child:
        child.hello()
        child.hang_up()
        assert child.log() == f'reload-failed {reason} kept="the old configuration"'
        child.send(request(b"noop"))
        assert child.lines() == [result(b"reject|550 first")]
        child.hang_up()
        assert child.log() == "reloaded"
        child.send(request(b"noop"))
        assert child.lines() == [result(b"reject|550 second")]


def test_a_reload_drops_no_session(tmp_path: Path) -> None:
    source = """
class Some(Filter):
    def on_message(self, session):
        return Sign()
    def reload(self):
        pass
class Sign(HeldMessage):
    def end(self):
        return [b"X: y"]
"""
    with Child(tmp_path, source) as child:
        child.hello()
        child.send(data(b"A: 1"))
        child.hang_up()
        assert child.log() == "reloaded"
        child.send(data(b"B: 2", b"."))
        assert b"".join(child.lines(4)) == datalines(b"X: y", b"A: 1", b"B: 2", b".")


def test_an_asynchronous_reload_has_done_nothing_and_says_so(tmp_path: Path) -> None:
    # As a lambda: the class is refused where it is ``async def``.
    source = (
        f"{NOOP}    async def load(self):\n        pass\n    reload = lambda self: self.load()\n"
    )
    with Child(tmp_path, source) as child:
        child.hello()
        child.process.send_signal(1)
        line = child.log()
        assert line.startswith('reload-failed reason="reload returned a coroutine"')
