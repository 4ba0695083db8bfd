"""``filter``: what smtpd would have died of, or waited for for ever."""

import os
import select
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opensmtpd_cli.commands.filter.command import command
from opensmtpd_cli.plugin import filter_run, talk
from opensmtpd_cli.plugin.filter_run import Run
from unit.support.small_filters import ECHO, decides, program, timeless

pytestmark = pytest.mark.usefixtures("libexec")

MAIL = b"Subject: hi\n\nhello\n"
DIES = "smtpd: dies, and all mail stops"
WAITS = "smtpd: has the client wait for ever"
LATE = ("--timeout", "0.1")


@pytest.fixture(autouse=True)
def graceless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of these filters do not end by themselves."""
    monkeypatch.setattr(talk, "_GRACE", 0.2)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for answers 0.1 s; for the start of the program as long as it takes."""
    start = Run.start

    def patched(self: Run) -> None:
        start(self)
        self._timeout = 0.1

    monkeypatch.setattr(Run, "start", patched)


def run(*argv: str) -> Result:
    return CliRunner().invoke(command, ["filter-x", *argv], input=MAIL, prog_name="x")


def end(result: Result) -> tuple[int, list[str]]:
    """Return the status, and the last two lines; nothing may have been printed."""
    assert result.stdout_bytes == b""
    return result.exit_code, timeless(result.stderr)[-2:]


# --- at the start -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "outcome", "effect"),
    [
        ("sys.exit(0)", "fatal: lost processor: the filter exited with status 0", DIES),
        ("config(); sys.exit(7)", "fatal: lost processor: the filter exited with status 7", DIES),
        ("os.kill(os.getpid(), 11)", "fatal: lost processor: the filter died of SIGSEGV", DIES),
        ("config(); say('hello\\n')", "fatal: Non-register message before register|ready: hello",
         DIES),
        ("config(); say('register|filter|smtp-in|nosuch\\n')",
         "fatal: Unrecognized report name: register|filter|smtp-in|nosuch", DIES),
        ("config(); say('register|bogus\\n')",
         "fatal: Invalid register line received: register|bogus", DIES),
        ("os.close(0); os.close(1); time.sleep(300)",
         "error: the filter hung up and lives on", "smtpd: waits for it for ever"),
        ("pass", "error: no register|ready within 0.1 s",
         "smtpd: takes no mail, and waits for ever"),
        ("config(); say('register|filter|smtp-in|connect\\n')",
         "error: no register|ready within 0.1 s", "smtpd: takes no mail, and waits for ever"),
        ("say('register|rea')", "error: no register|ready within 0.1 s",
         "smtpd: takes no mail, and waits for ever"),
    ],
)  # fmt: skip
def test_the_handshake(libexec: Path, start: str, outcome: str, effect: str) -> None:
    program(libexec, f"{start}\nsys.stdin.read()")
    late = LATE if "within" in outcome else ()
    assert end(run(*late)) == (3, [outcome, effect])


def test_what_dies_leaves_a_child_with_the_socket(libexec: Path) -> None:
    program(libexec, "config()\nif os.fork(): os._exit(1)\ntime.sleep(300)")
    began = time.monotonic()
    assert end(run()) == (3, ["fatal: lost processor: the filter exited with status 1", DIES])
    assert time.monotonic() - began < 10


# --- answers ----------------------------------------------------------------------------------

PHASES = ["connect", "ehlo", "mail-from", "rcpt-to", "data", "commit"]
ID = "9e3779b97f4a7c15"


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("nonsense|x", "Invalid directive"),
        ("reject", "Missing parameter"),
        ("proceed\r", "Missing parameter"),
    ],
)
def test_illegal_answers(libexec: Path, phase: str, answer: str, reason: str) -> None:
    program(libexec, decides(phase, answer))
    status, (outcome, effect) = end(run())
    assert (status, effect) == (3, DIES)
    assert outcome.startswith(f"fatal: {reason}: filter-result|{ID}|")


def test_junk_when_the_message_is_there(libexec: Path) -> None:
    program(libexec, decides("commit", "junk"))
    assert end(run())[1][0].startswith("fatal: junk after DATA: filter-result|")


@pytest.mark.parametrize("phase", PHASES)
def test_no_answer(libexec: Path, impatient: None, phase: str) -> None:
    program(libexec, f"hello({phase!r})\nfor _ in requests(): pass\n")
    assert end(run()) == (3, [f"error: no answer to {phase} within 0.1 s", WAITS])


@pytest.mark.parametrize("phase", PHASES)
def test_an_exit_instead_of_an_answer(libexec: Path, phase: str) -> None:
    program(libexec, f"hello({phase!r})\nfor _ in requests(): sys.exit(5)\n")
    assert end(run()) == (3, ["fatal: lost processor: the filter exited with status 5", DIES])


def test_no_final_dot(libexec: Path, impatient: None) -> None:
    program(
        libexec,
        "hello('data-line')\nfor phase, session, token, text in requests():\n"
        "    if text != b'.': line(session, token, text)\n",
    )
    assert end(run()) == (3, ["error: no answer to data-line within 0.1 s", WAITS])


def loops(body: str) -> str:
    return f"hello('mail-from')\nfor phase, session, token, text in requests():\n    {body}\n"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("say(b'filter-result|%s|%s|proceed\\n' % (session, token) * 2)",
         "a second answer to one request: tree_xpop: "),
        ("answer(session, b'0' * 16, b'proceed')", "misbehaving filter: "),
        ("line(session, token, b'x')", "filter-dataline out of dataline phase: "),
        ("say('\\n')", "Invalid filter message type"),
        ("say('garbage\\0\\xff\\n')", "Invalid filter message type: garbage"),
        ("say('report|1.000001|smtp-in|x|y\\n')", "unexpected direction: "),
        ("say('x' * 70000)", "a line longer than the buffer: smtpd reads nothing more: "),
        ("while True: say('x' * 70000)",
         "a line longer than the buffer: smtpd reads nothing more: "),
        ("while True: say('x\\n' * 70000)", "Invalid filter message type: x"),
    ],
)  # fmt: skip
def test_what_nobody_asked_for(libexec: Path, body: str, reason: str) -> None:
    program(libexec, loops(body))
    status, (outcome, effect) = end(run())
    assert (status, effect) == (3, DIES)
    assert outcome.startswith(f"fatal: {reason}")
    assert "\0" not in outcome


def test_floods_that_smtpd_ignores_do_not_count_as_an_answer(
    libexec: Path, impatient: None
) -> None:
    program(
        libexec, loops("while True: say('filter-result|00000000000000ff|00|proceed\\n' * 1000)")
    )
    began = time.monotonic()
    assert end(run()) == (3, ["error: no answer to mail-from within 0.1 s", WAITS])
    assert time.monotonic() - began < 10


def test_a_flooded_log(libexec: Path, impatient: None) -> None:
    program(libexec, loops("while True: os.write(2, b'x' * 50000 + b'\\n')"))
    began = time.monotonic()
    assert end(run())[0] == 3
    assert time.monotonic() - began < 15


def test_a_log_without_lines(libexec: Path, impatient: None) -> None:
    """smtpd reads no more of it when its buffer is full, and the filter waits for that."""
    program(libexec, loops("while True: os.write(2, b'x' * 30000)"))
    result = run()
    assert end(result) == (3, ["error: no answer to mail-from within 0.1 s", WAITS])
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("! ")]
    assert 65536 <= line.count("x") <= 131072


def test_a_log_that_stops_in_a_line(libexec: Path, impatient: None) -> None:
    program(libexec, loops("os.write(2, b'a\\nb')"))
    assert timeless(run().stderr)[3:5] == ["! a", "! b"]


@pytest.mark.parametrize("text", ["x" * 60_000, "x"])
def test_lines_without_end(libexec: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(filter_run, "_ROOM", 1_000_000)
    program(
        libexec,
        "hello('data-line')\nfor phase, session, token, text in requests():\n"
        f"    while text == b'.': line(session, token, {text.encode()!r})\n",
    )
    effect = "smtpd: reads on, and keeps a message on disk"
    assert end(run()) == (3, ["error: it writes without end", effect])


def test_messages_that_a_filter_makes_longer(
    libexec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filter_run, "_ROOM", 10_000)
    program(
        libexec,
        "hello('data-line')\nfor phase, session, token, text in requests():\n"
        "    line(session, token, text)\n    if text[:1] == b'x': line(session, token, text)\n",
    )
    message = b"\n" + (b"x" * 1000 + b"\n") * 1000
    result = CliRunner().invoke(command, ["filter-x"], input=message)
    assert result.exit_code == 0


def test_an_answer_in_pieces(libexec: Path) -> None:
    program(
        libexec,
        "hello('mail-from')\nfor phase, session, token, text in requests():\n"
        "    for one in b'filter-result|%s|%s|reject|550 No\\n' % (session, token):\n"
        "        say(bytes([one])); time.sleep(0.001)\n",
    )
    result = run()
    assert timeless(result.stderr)[-2:] == ["mail-from: reject 550 No (T)", "refused: 550 No"]


def test_a_filter_that_does_not_read(libexec: Path, impatient: None) -> None:
    program(libexec, "hello(reports=['protocol-client'])\ntime.sleep(300)")
    result = run()
    assert result.exit_code == 0  # nobody waits for it, and the little that it is told has room
    assert result.stdout_bytes == MAIL


def test_a_death_after_the_message(libexec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_run, "_LINGER", 0.5)
    program(
        libexec,
        "hello('commit', reports=['link-disconnect'])\n"
        "for row in sys.stdin.buffer:\n    fields = row.split(b'|')\n"
        "    if fields[0] == b'filter': answer(fields[5], fields[6], b'proceed')\n"
        "    if fields[4] == b'link-disconnect': os.kill(os.getpid(), 6)\n",
    )
    assert end(run()) == (3, ["fatal: lost processor: the filter died of SIGABRT", DIES])


@pytest.mark.parametrize(
    ("late", "reason"),
    [
        ("line(session, token, b'x')", "filter-dataline out of dataline phase: "),
        ("line(session, token, b'.')", "filter-dataline out of dataline phase: "),
        ("answer(session, token, b'proceed')", "misbehaving filter: "),
        ("sys.exit(0)", "lost processor: the filter exited with status 0"),
    ],
)
def test_what_comes_behind_a_message(
    libexec: Path, monkeypatch: pytest.MonkeyPatch, late: str, reason: str
) -> None:
    """The client is there for a while yet."""
    monkeypatch.setattr(filter_run, "_LINGER", 10.0)
    program(
        libexec,
        "hello('data-line')\nfor phase, session, token, text in requests():\n"
        f"    line(session, token, text)\n    if text == b'.': time.sleep(0.02); {late}\n",
    )
    status, (outcome, effect) = end(run())
    assert (status, effect) == (3, DIES)
    assert outcome.startswith(f"fatal: {reason}")


@pytest.mark.parametrize(
    ("at_the_end", "remark"),
    [
        ("sys.exit(4)", "# it ended with status 4 when smtpd hung up"),
        ("time.sleep(300)", "# it did not end when smtpd hung up, and was killed"),
    ],
)
def test_how_it_ends_with_smtpd(libexec: Path, at_the_end: str, remark: str) -> None:
    program(libexec, f"{ECHO}\n{at_the_end}")
    result = run()
    assert result.exit_code == 0
    assert remark in result.stderr.splitlines()


def test_silence_ends_what_it_started_too(libexec: Path, impatient: None, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    program(
        libexec,
        f"os.set_inheritable(os.open({str(fifo)!r}, os.O_WRONLY), True)\n"
        "import subprocess\nsubprocess.Popen(['sleep', '300'], close_fds=False)\n" + loops("pass"),
    )
    assert run().exit_code == 3
    assert select.select([reader], [], [], 10)[0]
    assert os.read(reader, 1) == b""  # the end, for nobody has it open any more
    os.close(reader)


def test_a_slow_answer_is_an_answer(libexec: Path) -> None:
    program(
        libexec,
        "hello('mail-from')\nfor phase, session, token, text in requests():\n"
        "    time.sleep(0.3); answer(session, token, b'proceed')\n",
    )
    result = run("--timeout", "10")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("mail-from: ")]
    assert 300 <= float(line.split("(")[1].split(" ")[0]) < 1000 or line.endswith(" s)")
