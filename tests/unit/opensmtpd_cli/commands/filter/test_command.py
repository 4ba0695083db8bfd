"""``filter``: a filter as a child process, what it decides, and the message that comes out."""

from pathlib import Path

import pytest
from click.testing import Result

from opensmtpd_cli.commands.filter import command as filter_command
from opensmtpd_cli.main import main
from opensmtpd_cli.system import smtpd_conf
from unit.support.small_filters import ECHO, MAIL, decides, program, run, runner, timeless

pytestmark = pytest.mark.usefixtures("libexec", "patient")

ACCEPTED = "accepted: 250 2.0.0 fe94f82a Message accepted for delivery"


def said(result: Result) -> tuple[int, list[str]]:
    """Return the status, and what was said behind the start."""
    lines = timeless(result.stderr)
    start = [at for at, line in enumerate(lines) if line.startswith("# registered for ")]
    return result.exit_code, lines[start[0] + 1 :] if start else lines


# --- what comes out ---------------------------------------------------------------------------


def test_everything_that_is_said(libexec: Path) -> None:
    program(
        libexec,
        """
hello("connect", "data-line", "commit", reports=["link-connect"])
for phase, session, token, text in requests():
    if phase == "connect":
        sys.stderr.write("hello \\033[31m|" + text.decode() + "\\n")
        sys.stderr.flush()
    if phase != "data-line":
        answer(session, token, b"proceed")
    elif text.startswith(b"Subject:"):
        line(session, token, b"X-New: 1")
        line(session, token, b"X-New: 2")
    else:
        line(session, token, text)
""",
    )
    result = run('filter "x" proc-exec "filter-x -a"')
    assert timeless(result.stderr) == [
        f"# {libexec}/filter-x -a",
        "# ready after T",
        "# registered for commit, connect, data-line, report link-connect",
        "! hello \\x1b[31m|client.example|192.0.2.5",
        "connect: proceed (T)",
        "data-line: 9 lines in, 10 out (T)",
        "commit: proceed (T)",
        "added: X-New, X-New",
        "removed: Subject",
        ACCEPTED,
    ]
    assert result.stdout_bytes == b"X-New: 1\nX-New: 2\nFrom: a@example.com\n\n.dot\nhello\n"
    assert result.exit_code == 0


def test_quiet_says_nothing_of_what_goes_well(libexec: Path) -> None:
    program(libexec, "sys.stderr.write('a log\\n')\n" + ECHO)
    result = runner().invoke(main, ["--quiet", "filter", "filter-x"], input=MAIL)
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, MAIL, "")


def test_quiet_says_what_is_wrong(libexec: Path) -> None:
    program(libexec, "sys.stderr.write('no key\\n'); sys.exit(2)")
    result = runner().invoke(main, ["--quiet", "filter", "filter-x"], input=MAIL)
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        "! no key",
        "fatal: lost processor: the filter exited with status 2",
        "smtpd: dies, and all mail stops",
    ]
    program(libexec, decides("helo", "proceed") + decides("ehlo", "reject|550 No"))
    program(libexec, decides("ehlo", "reject|550 No"))
    result = runner().invoke(main, ["--quiet", "filter", "filter-x"], input=MAIL)
    assert (result.exit_code, result.stderr) == (1, "refused: 550 No\n")


@pytest.mark.parametrize(
    "message",
    [
        MAIL,
        MAIL.replace(b"\n", b"\r\n"),
        b"",
        b"\n",
        b"Subject: only a header\n",
        b"\n.\n..\n...\n",
        b"a: " + b"x" * 60_000 + b"\n\n" + b"y" * 60_000 + b"\n",
        b"a: \xff|\x01\n\n\x80\rx\n\r \n",
        b" folded\nX-Spam: Yes\n\n",
    ],
    ids=range(9),
)
def test_untouched_messages_come_out_as_they_went_in(libexec: Path, message: bytes) -> None:
    program(libexec, ECHO)
    result = run("filter-x", message=message)
    assert (result.exit_code, result.stdout_bytes) == (0, message)


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (b"a: b\n\nno end", b"a: b\n\nno end\n"),
        (b"a: b\n\nx\0y\nz\n", b"a: b\n\nx\nz\n"),
        (b"a: b\r\n\nx\r\n", b"a: b\r\n\r\nx\r\n"),
        (b"a: b\n\r\nx\r\r\n", b"a: b\n\nx\r\n"),
    ],
)
def test_what_smtpd_itself_makes_of_lines(libexec: Path, message: bytes, wanted: bytes) -> None:
    program(libexec, ECHO)
    assert run("filter-x", message=message).stdout_bytes == wanted


def test_a_line_that_is_too_long(libexec: Path) -> None:
    program(libexec, ECHO)
    result = run("filter-x", message=b"a: b\n\n" + b"x" * 65_535 + b"\n")
    assert said(result) == (1, ["refused: 500 5.0.0 Line too long"])
    assert result.stdout_bytes == b""
    result = run("filter-x", message=b"a: b\n\n" + b"x" * 65_534 + b"\n")
    status, lines = said(result)
    assert status == 3
    assert lines[0].startswith("fatal: a line longer than the buffer: smtpd reads nothing more: ")


def test_large_messages_while_the_filter_writes(libexec: Path) -> None:
    message = b"a: b\n\n" + b"The quick brown fox jumps over the lazy dog.\n" * 50_000
    program(libexec, ECHO)
    result = run("filter-x", message=message)
    assert result.stdout_bytes == message
    assert said(result) == (0, ["data-line: 50006 lines in, 50006 out (T)", ACCEPTED])


def test_a_filter_that_answers_when_it_has_all(libexec: Path) -> None:
    program(
        libexec,
        "hello('data-line')\nheld = []\nfor phase, session, token, text in requests():\n"
        "    held.append(text)\n    if text == b'.':\n"
        "        for one in held: line(session, token, one)\n",
    )
    message = b"a: b\n\n" + b"x" * 70 + b"\n" * 20_000
    assert run("filter-x", message=message).stdout_bytes == message


def test_lines_that_smtpd_put_in_front_and_the_filter_changed(libexec: Path) -> None:
    program(
        libexec,
        "hello('data-line')\nfor phase, session, token, text in requests():\n"
        "    line(session, token, text.replace(b'192.0.2.5', b'0.0.0.0'))\n",
    )
    result = run("filter-x")
    assert result.stdout_bytes.startswith(
        b"Received: from client.example (client.example [0.0.0.0])\n\tby example.com "
    )
    assert said(result)[1][1] == "added: Received"


# --- decisions --------------------------------------------------------------------------------

PHASES = ["connect", "ehlo", "mail-from", "rcpt-to", "data", "commit"]


@pytest.mark.parametrize("phase", PHASES)
def test_a_refusal_in_each_phase(libexec: Path, phase: str) -> None:
    program(libexec, decides(phase, "reject|550 5.7.1 No \x1b[1m"))
    result = run("filter-x")
    assert said(result) == (
        1,
        [f"{phase}: reject 550 5.7.1 No \\x1b[1m (T)", "refused: 550 5.7.1 No \\x1b[1m"],
    )
    assert result.stdout_bytes == b""


@pytest.mark.parametrize("phase", PHASES)
def test_a_disconnection_in_each_phase(libexec: Path, phase: str) -> None:
    program(libexec, decides(phase, "disconnect|421 4.7.0 Go away"))
    assert said(run("filter-x")) == (
        1,
        [f"{phase}: disconnect 421 4.7.0 Go away (T)", "refused: 421 4.7.0 Go away"],
    )


@pytest.mark.parametrize("phase", PHASES[:-1])
def test_junk_in_each_phase(libexec: Path, phase: str) -> None:
    program(libexec, decides(phase, "junk"))
    result = run("filter-x")
    assert said(result) == (
        0,
        [f"{phase}: junk (T)", "junk: smtpd puts X-Spam: Yes in front", ACCEPTED],
    )
    assert result.stdout_bytes == MAIL


def test_a_rewritten_sender(libexec: Path) -> None:
    program(libexec, decides("mail-from", "rewrite|<new@example.org>"))
    status, lines = said(run("filter-x"))
    assert (status, lines[0]) == (0, "mail-from: rewrite <new@example.org> (T)")


def test_a_reply_that_smtpd_does_not_send(libexec: Path) -> None:
    program(libexec, decides("mail-from", "reject|no such number"))
    assert said(run("filter-x")) == (
        1,
        ["mail-from: reject no such number (T)", "refused: 421 Internal server error"],
    )


def test_recipients_that_are_refused_are_left_out(libexec: Path) -> None:
    program(
        libexec,
        "hello('rcpt-to')\nfor phase, session, token, text in requests():\n"
        "    answer(session, token, b'reject|550 No' if b'bad' in text else b'proceed')\n",
    )
    names = ["--rcpt", "bad@example.com", "--rcpt", "good@example.com"]
    assert said(run("filter-x", *names)) == (
        0,
        ["rcpt-to: reject 550 No (T)", "rcpt-to: proceed (T)", ACCEPTED],
    )
    assert said(run("filter-x", *names[:2])) == (
        1,
        ["rcpt-to: reject 550 No (T)", "refused: 550 No"],
    )


# --- how it is run ----------------------------------------------------------------------------


def test_a_program_elsewhere(
    libexec: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    program(folder, ECHO)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert timeless(run("filter-x").stderr)[:2] == [
        f"# {folder}/filter-x",
        "# not where smtpd looks for its filters: smtpd itself would not find it",
    ]
    program(folder, ECHO, "filter-y")
    assert timeless(run(f"{folder}/filter-y").stderr)[:2] == [
        f"# {folder}/filter-y",
        "# ready after T",
    ]


def test_no_program(libexec: Path) -> None:
    result = run("filter-nosuch -x")
    where = f"smtpd wants it in its own directory, as {libexec}"
    assert result.stderr == f"x: there is no program filter-nosuch; {where}\n"
    assert result.exit_code == 3
    result = run("/nosuch/filter")
    assert said(result)[1][-2:] == [
        "fatal: lost processor: the filter exited with status 127",
        "smtpd: dies, and all mail stops",
    ]


def test_a_message_from_a_terminal(libexec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(libexec, ECHO)
    monkeypatch.setattr(filter_command, "_at_terminal", lambda: True)
    result = run("filter-x")
    assert result.stderr.splitlines()[0] == (
        "the message is read from the terminal, up to the end of it (Ctrl-D)"
    )
    assert result.stdout_bytes == MAIL


# --- names of smtpd.conf ----------------------------------------------------------------------

CONF = """
filter hold \\
    proc-exec "filter-x -a" \\
    user root
proc p "filter-x -b"
filter by_proc proc p
filter spam phase connect match !rdns junk
filter both chain { hold, spam }
"""


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "smtpd.conf"
    path.write_text(CONF)
    monkeypatch.setattr(smtpd_conf, "PATHS", (str(path),))
    return path


@pytest.mark.parametrize(("name", "flag"), [("hold", "-a"), ("by_proc", "-b")])
@pytest.mark.usefixtures("conf")
def test_a_filter_by_its_name(libexec: Path, name: str, flag: str) -> None:
    program(libexec, decides("connect", "reject|550 no"))
    result = run(name)
    assert timeless(result.stderr)[0].startswith(f"# {libexec}/filter-x {flag}")
    assert said(result)[0] == 1


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("both", ":8: both is a chain, filters in a row: there is no program to run; give the na"),
        ("spam", ":7: a filter with a phase is a part of smtpd: there is no program to run"),
        ("hodl", " has no filter hodl; did you mean hold?; give its whole line of smtpd.conf"),
        ("filter-none", "there is no program filter-none; smtpd wants it in its own directory, a"),
    ],
)
def test_names_that_run_nothing(libexec: Path, conf: Path, name: str, fault: str) -> None:
    result = run(name)
    place = "" if name.startswith("filter-") else str(conf)
    assert result.stderr.startswith(f"x: {place}{fault}")
    assert (result.exit_code, result.stdout_bytes) == (3, b"")


def test_a_filter_of_another_smtpd_conf(libexec: Path, tmp_path: Path) -> None:
    program(libexec, decides("connect", "reject|550 no"))
    other = tmp_path / "other.conf"
    other.write_text('filter mine proc-exec "filter-x -c"\n')
    result = run("mine", "--conf", str(other))
    assert timeless(result.stderr)[0] == f"# {libexec}/filter-x -c"
    result = run("mine", "--conf", str(tmp_path / "none"))
    assert result.stderr.startswith(f"x: {tmp_path}/none: cannot read it")
    assert result.exit_code == 3


def test_a_command_needs_no_smtpd_conf(libexec: Path, conf: Path) -> None:
    program(libexec, decides("connect", "reject|550 no"))
    conf.write_text("table t {\n")
    assert run("filter-x").exit_code == 1
