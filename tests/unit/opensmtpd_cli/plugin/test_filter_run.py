"""``filter`` with filters that would end smtpd, or have it wait for ever."""

import time
from pathlib import Path

import pytest

from opensmtpd.testing.model.client import SmtpClient
from opensmtpd_cli.commands.filter.command import command
from opensmtpd_cli.plugin import filter_run
from unit.support.processes import PATIENCE
from unit.support.small_filters import (
    DIES,
    MAIL,
    WAITS,
    decides,
    end,
    loops,
    program,
    run_x,
    runner,
    timeless,
)

pytestmark = pytest.mark.usefixtures("libexec", "patient")

LATE = ("--timeout", "0.1")


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
def test_the_handshake(
    libexec: Path, request: pytest.FixtureRequest, start: str, outcome: str, effect: str
) -> None:
    if "sleep" in start:
        request.getfixturevalue("graceless")
    program(libexec, f"{start}\nsys.stdin.read()")
    late = LATE if "within" in outcome else ()
    assert end(run_x(*late)) == (3, [outcome, effect])


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
    status, (outcome, effect) = end(run_x())
    assert (status, effect) == (3, DIES)
    assert outcome.startswith(f"fatal: {reason}: filter-result|{ID}|")


def test_junk_when_the_message_is_there(libexec: Path) -> None:
    program(libexec, decides("commit", "junk"))
    assert end(run_x())[1][0].startswith("fatal: junk after DATA: filter-result|")


@pytest.mark.parametrize("phase", PHASES)
def test_no_answer(libexec: Path, impatient: None, phase: str) -> None:
    program(libexec, f"hello({phase!r})\nfor _ in requests(): pass\n")
    assert end(run_x()) == (3, [f"error: no answer to {phase} within 0.1 s", WAITS])


@pytest.mark.parametrize("phase", PHASES)
def test_an_exit_instead_of_an_answer(libexec: Path, phase: str) -> None:
    program(libexec, f"hello({phase!r})\nfor _ in requests(): sys.exit(5)\n")
    assert end(run_x()) == (3, ["fatal: lost processor: the filter exited with status 5", DIES])


def test_no_final_dot(libexec: Path, impatient: None) -> None:
    program(
        libexec,
        "hello('data-line')\nfor phase, session, token, text in requests():\n"
        "    if text != b'.': line(session, token, text)\n",
    )
    assert end(run_x()) == (3, ["error: no answer to data-line within 0.1 s", WAITS])


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
    status, (outcome, effect) = end(run_x())
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
    assert end(run_x()) == (3, ["error: no answer to mail-from within 0.1 s", WAITS])
    assert time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("text", ["x" * 60_000, "x"])
def test_lines_without_end(libexec: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(filter_run, "_ROOM", 1_000_000)
    program(
        libexec,
        "hello('data-line')\nfor phase, session, token, text in requests():\n"
        f"    while text == b'.': line(session, token, {text.encode()!r})\n",
    )
    effect = "smtpd: reads on, and keeps a message on disk"
    assert end(run_x()) == (3, ["error: it writes without end", effect])


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
    result = runner().invoke(command, ["filter-x"], input=message)
    assert result.exit_code == 0


def test_an_answer_in_pieces(libexec: Path) -> None:
    program(
        libexec,
        "hello('mail-from')\nfor phase, session, token, text in requests():\n"
        "    for one in b'filter-result|%s|%s|reject|550 No\\n' % (session, token):\n"
        "        say(bytes([one])); time.sleep(0.001)\n",
    )
    result = run_x()
    assert timeless(result.stderr)[-2:] == ["mail-from: reject 550 No (T)", "refused: 550 No"]


def test_a_filter_that_does_not_read(libexec: Path, graceless: None) -> None:
    program(libexec, "hello(reports=['protocol-client'])\ntime.sleep(300)")
    result = run_x()
    assert result.exit_code == 0  # nobody waits for it, and the little that it is told has room
    assert result.stdout_bytes == MAIL


def test_a_death_after_the_message(libexec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies of the end of the session, which it is told of after QUIT."""
    quit = SmtpClient.quit

    def patched(client: SmtpClient) -> None:
        monkeypatch.setattr(filter_run, "_LINGER", PATIENCE)
        quit(client)

    monkeypatch.setattr(SmtpClient, "quit", patched)
    program(
        libexec,
        "hello('commit', reports=['link-disconnect'])\n"
        "for row in sys.stdin.buffer:\n    fields = row.split(b'|')\n"
        "    if fields[0] == b'filter': answer(fields[5], fields[6], b'proceed')\n"
        "    if fields[4] == b'link-disconnect': os.kill(os.getpid(), 6)\n",
    )
    assert end(run_x()) == (3, ["fatal: lost processor: the filter died of SIGABRT", DIES])


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
    monkeypatch.setattr(filter_run, "_LINGER", PATIENCE)
    program(
        libexec,
        "hello('data-line')\nfor phase, session, token, text in requests():\n"
        f"    line(session, token, text)\n    if text == b'.': time.sleep(0.02); {late}\n",
    )
    status, (outcome, effect) = end(run_x())
    assert (status, effect) == (3, DIES)
    assert outcome.startswith(f"fatal: {reason}")


def test_a_slow_answer_is_an_answer(libexec: Path) -> None:
    program(
        libexec,
        "hello('mail-from')\nfor phase, session, token, text in requests():\n"
        "    time.sleep(0.3); answer(session, token, b'proceed')\n",
    )
    result = run_x("--timeout", "10")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("mail-from: ")]
    assert 300 <= float(line.split("(")[1].split(" ")[0]) < 1000 or line.endswith(" s)")
