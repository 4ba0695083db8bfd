"""``filter`` in a process of its own: signals, closed and full descriptors, locales."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unit.support.processes import PATIENCE, default_action, ended, until, written
from unit.support.small_filters import ECHO, program

MAIL = b"Subject: hi\n\nhello\n"
PROGRAM = [sys.executable, "-m", "opensmtpd_cli"]


def line(path: Path) -> str:
    """Return a line that runs a program as who runs the tests."""
    return f'filter x proc-exec "{path}" user root'


def run(
    *argv: str | bytes, redirection: str = "", env: dict[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirection}', "sh", *PROGRAM, *argv],
        input=MAIL, capture_output=True, timeout=PATIENCE, check=False,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(tmp_path: Path, number: int) -> None:
    """Ctrl-C ends the program without a word, and what it started."""
    pid = tmp_path / "pid"
    path = program(
        tmp_path,
        "import subprocess\nchild = subprocess.Popen(['sleep', '300'])\n"
        f"open({str(pid)!r}, 'w').write('%d\\n' % child.pid)\nsys.stdin.read()",
    )
    with default_action(number):
        process = subprocess.Popen(
            [*PROGRAM, "--quiet", "filter", line(path), "--timeout", "600"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    try:
        child = written(pid)
        process.send_signal(number)
        assert process.communicate(timeout=PATIENCE)[1] == b""
        assert process.returncode == 128 + number
    finally:
        process.kill()
        process.wait()
    until(lambda: ended(child))


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    path = program(tmp_path, "import signal\nos.kill(os.getppid(), signal.SIGHUP)\n" + ECHO)
    done = subprocess.run(
        ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *PROGRAM, "filter", line(path)],
        input=MAIL, capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, MAIL)


CLOSED = b"opensmtpd-plugins: standard input or output is closed; give it /dev/null\n"


@pytest.mark.parametrize(
    ("redirection", "wanted"),
    [
        ("<&-", (2, b"", CLOSED)),
        (">&-", (2, b"", CLOSED)),
        ("<&- 2>&-", (2, b"", b"")),
        ("2>&-", (0, MAIL, b"")),
        (">/dev/full", (3, b"", b"opensmtpd-plugins: No space left on device\n")),
    ],
)
def test_descriptors(tmp_path: Path, redirection: str, wanted: tuple[int, bytes, bytes]) -> None:
    path = program(tmp_path, ECHO)
    assert run("--quiet", "filter", line(path), redirection=redirection) == wanted


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    status = run("filter", line(program(tmp_path, ECHO)), redirection="2>/dev/full")[0]
    assert status not in (0, 1)  # which would speak of the message


def test_nobody_reads_the_message(tmp_path: Path) -> None:
    path = program(tmp_path, ECHO)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(
            [*PROGRAM, "--quiet", "filter", line(path)],
            input=MAIL, stdout=out, stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (3, b"")


def test_bytes_that_the_locale_does_not_know(tmp_path: Path) -> None:
    """Only ASCII, and no escape from it: what is typed arrives as it was typed."""
    log = tmp_path / "log"
    path = program(
        tmp_path,
        "hello('ehlo')\nfor phase, session, token, text in requests():\n"
        f"    open({str(log)!r}, 'wb').write(os.fsencode(sys.argv[1]) + b' ' + text)\n"
        "    answer(session, token, b'reject|550 \\xc3\\xa4')\n",
    )
    typed = os.fsencode(line(path)).replace(b'" user', b' \xff\xc3\xa4" user')
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    status, _, said = run("filter", typed, "--helo", b"x", env=env)
    assert status == 1
    assert said.splitlines()[-1] == rb"refused: 550 \xe4"
    assert log.read_bytes() == b"\xff\xc3\xa4 x"
    if os.geteuid() == 0:
        status, _, said = run("filter", typed.replace(b"user root", b"user '\xc3\xa4'"), env=env)
        reason = "opensmtpd-plugins: there is no user ä: smtpd would not start\n"
        assert (status, said) == (3, reason.encode())
