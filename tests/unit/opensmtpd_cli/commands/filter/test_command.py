"""``filter``: a filter as a child process, what it decides, and the message that comes out."""

import ast
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opensmtpd_cli.commands.filter import command as filtering
from opensmtpd_cli.commands.filter.command import command
from opensmtpd_cli.main import main
from unit.support.small_filters import ECHO, decides, program, timeless

pytestmark = pytest.mark.usefixtures("libexec")

MAIL = b"Subject: hi\nFrom: a@example.com\n\n.dot\nhello\n"
ACCEPTED = "accepted: 250 2.0.0 fe94f82a Message accepted for delivery"


def run(*argv: str, message: bytes = MAIL) -> Result:
    return CliRunner().invoke(command, list(argv), input=message, prog_name="x")


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
    result = CliRunner().invoke(main, ["--quiet", "filter", "filter-x"], input=MAIL)
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, MAIL, "")


def test_quiet_says_what_is_wrong(libexec: Path) -> None:
    program(libexec, "sys.stderr.write('no key\\n'); sys.exit(2)")
    result = CliRunner().invoke(main, ["--quiet", "filter", "filter-x"], input=MAIL)
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        "! no key",
        "fatal: lost processor: the filter exited with status 2",
        "smtpd: dies, and all mail stops",
    ]
    program(libexec, decides("helo", "proceed") + decides("ehlo", "reject|550 No"))
    program(libexec, decides("ehlo", "reject|550 No"))
    result = CliRunner().invoke(main, ["--quiet", "filter", "filter-x"], input=MAIL)
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


# --- who the client is ------------------------------------------------------------------------

TELL = """
hello("connect", "ehlo", "auth", "mail-from", "rcpt-to", reports=["link-connect", "link-auth"])
log = open({log!r}, "w")
for line in sys.stdin.buffer:
    fields = line.decode().rstrip("\\n").split("|")
    print(fields[4], *fields[7 if fields[0] == "filter" else 6:], file=log, flush=True)
    if fields[0] == "filter":
        answer(fields[5].encode(), fields[6].encode(), b"proceed")
"""


def told(libexec: Path, *argv: str) -> list[str]:
    program(libexec, TELL.format(log=str(libexec / "log")))
    assert run("filter-x", *argv).exit_code == 0
    return (libexec / "log").read_text().splitlines()


def test_the_usual_client(libexec: Path) -> None:
    assert told(libexec) == [
        "link-connect client.example pass 192.0.2.5:40721 192.0.2.1:25",
        "connect client.example 192.0.2.5",
        "ehlo client.example",
        "mail-from bob@remote.example",
        "rcpt-to alice@example.com",
    ]


def test_another_client(libexec: Path) -> None:
    assert told(
        libexec,
        *("--client", "[2001:DB8:0::5]:2525", "--rdns", "<unknown>", "--helo", "me"),
        *("--from", "<>", "--rcpt", "b@example.com", "--rcpt", "<c@example.com>"),
        *("--auth", "alice", "--smtpd-version", "7.6.0"),
    ) == [
        "link-connect <unknown> fail [2001:db8::5]:2525 192.0.2.1:25",
        "connect <unknown> [2001:db8::5]",
        "ehlo me",
        "ehlo me",
        "auth PLAIN AGFsaWNlAHNlY3JldA==",
        "link-auth pass alice",
        "mail-from ",
        "rcpt-to b@example.com",
        "rcpt-to c@example.com",
    ]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--client", "192.0.2.9"], "client.example pass 192.0.2.9:40721"),
        (["--client", "192.0.2.9:25"], "client.example pass 192.0.2.9:25"),
        (["--client", "2001:db8::9"], "client.example pass [2001:db8::9]:40721"),
        (["--client", "[2001:db8::9]"], "client.example pass [2001:db8::9]:40721"),
        (["--client", "::ffff:192.0.2.1"], "client.example pass [::ffff:192.0.2.1]:40721"),
        (["--fcrdns", "error"], "client.example error 192.0.2.5:40721"),
        (["--rdns", "<unknown>", "--fcrdns", "pass"], "<unknown> pass 192.0.2.5:40721"),
    ],
)
def test_where_it_comes_from(libexec: Path, given: list[str], wanted: str) -> None:
    assert told(libexec, *given)[0] == f"link-connect {wanted} 192.0.2.1:25"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--from", "a|b@c"], "'a|b@c' is no address that smtpd takes"),
        (["--from", "a\n@c"], r"'a\n@c' holds a control character"),
        (["--from", "<a@c"], "'<a@c' is no address that smtpd takes"),
        (["--from", "a@c>"], "'a@c>' is no address that smtpd takes"),
        (["--rcpt", "a b@c"], "'a b@c' is no address that smtpd takes"),
        (["--rcpt", "<>"], "'<>' is no address that smtpd takes"),
        (["--client", "192.0.2"], "'192.0.2' is no IP address, nor one with a port"),
        (["--client", "192.0.2.1:0"], "0 is no port"),
        (["--client", "192.0.2.1:70000"], "70000 is no port"),
        (["--client", "[::1"], "'[::1' is no IP address, nor one with a port"),
        (["--client", "fe80::1%eth0"], "'fe80::1%eth0' is no IP address, nor one with a port"),
        (["--rdns", "a|b"], "'a|b' is no name of a host; smtpd would say <unknown>"),
        (["--helo", ""], "it is empty"),
        (["--helo", "a\r\nb"], "holds a control character"),
        (["--auth", ""], "it is empty"),
        (["--fcrdns", "maybe"], "maybe"),
        (["--smtpd-version", "5.9"], "no model of smtpd 5.9; there are 6.8.0, 7.6.0, 7.9.0"),
        (["--timeout", "0"], "0"),
        (["--timeout", "nan"], "'nan' is no time"),
    ],
)
def test_usage(libexec: Path, argv: list[str], text: str) -> None:
    program(libexec, ECHO)
    result = run("filter-x", *argv)
    assert text in result.stderr.splitlines()[-1]
    assert (result.exit_code, result.stdout) == (2, "")


# --- how it is run ----------------------------------------------------------------------------


def test_the_program_sees_what_smtpd_gives_it(
    libexec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    program(
        libexec,
        """
import stat
same = os.fstat(0).st_ino == os.fstat(1).st_ino
kinds = [stat.S_ISSOCK(os.fstat(n).st_mode) for n in range(3)]
told = [sys.argv[1:], os.getcwd(), same, kinds, os.getsid(0) == os.getpid(), "TOKEN" in os.environ]
open(os.path.dirname(sys.argv[0]) + "/log", "w").write(repr(told))
"""
        + ECHO,
    )
    assert run("filter-x 'a b' $HOME$((1 + 1))").exit_code == 0
    log = ast.literal_eval((libexec / "log").read_text())
    assert log == [["a b", "2"], "/", True, [True, True, True], True, False]


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_root_runs_it_as_somebody_else_and_shut_in(tmp_path: Path) -> None:
    jail = tmp_path / "jail"
    (jail / "bin").mkdir(parents=True)
    libraries = subprocess.run(
        ["ldd", "/bin/sh"], capture_output=True, text=True, check=True
    ).stdout.split()
    for name in ("/bin/sh", *(one for one in libraries if one.startswith("/"))):
        copy = jail / name[1:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(Path(name).read_bytes())
        copy.chmod(0o755)
    script = jail / "filter.sh"
    script.write_text("echo $PWD $(: < /etc/passwd) >&2\n")
    for one in (jail, *jail.rglob("*")):
        one.chmod(0o755)
    result = run(
        f'filter j proc-exec "/bin/sh /filter.sh" user nobody group daemon chroot "{jail}"'
    )
    lines = timeless(result.stderr)
    assert lines[0] == f"# /bin/sh /filter.sh, user nobody, group daemon, chroot {jail}"
    assert lines[1].startswith("! /filter.sh: 1: cannot open /etc/passwd")
    result = run(
        "filter j proc-exec \"/bin/sh -c 'id -u; id -g; id -G' >&2\" user nobody group daemon"
    )
    nobody, daemon = (
        subprocess.run(["id", flag, who], capture_output=True, text=True, check=True).stdout.strip()
        for flag, who in (("-u", "nobody"), ("-g", "daemon"))
    )
    assert timeless(result.stderr)[1:4] == [f"! {nobody}", f"! {daemon}", f"! {daemon}"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_people_who_are_not_there(libexec: Path) -> None:
    program(libexec, ECHO)
    for text, reason in (
        ("user nosuch", "there is no user nosuch: smtpd would not start"),
        ("group nosuch", "there is no group nosuch: smtpd would not start"),
        ("chroot '/no such'", "/no such is no directory: smtpd cannot chroot there"),
    ):
        result = run(f"filter x proc-exec filter-x {text}")
        assert (result.exit_code, result.stderr) == (3, f"x: {reason}\n")


def test_a_message_from_a_terminal(libexec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(libexec, ECHO)
    monkeypatch.setattr(filtering, "_at_terminal", lambda: True)
    result = run("filter-x")
    assert result.stderr.splitlines()[0] == (
        "the message is read from the terminal, up to the end of it (Ctrl-D)"
    )
    assert result.stdout_bytes == MAIL
