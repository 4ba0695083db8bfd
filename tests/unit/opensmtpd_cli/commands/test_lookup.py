"""``lookup`` and ``check``: what is sent, what is shown, and what smtpd would do."""

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner, Result

from opensmtpd_cli.commands.lookup import check, lookup
from opensmtpd_cli.plugin.table_exchange import duration
from unit.support.small_tables import ID, plain, program, rows

pytestmark = pytest.mark.usefixtures("libexec")

LINE = "table t x:/etc/t"
EXITED = "smtpd: dies, and all mail stops"


@pytest.fixture(autouse=True)
def same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests have ids that are known."""
    monkeypatch.setattr("secrets.token_hex", lambda _: ID)


def run(command: Command, *argv: str, stdin: str = "") -> Result:
    return CliRunner().invoke(command, list(argv), input=stdin, prog_name="x")


def end(result: Result) -> tuple[int, list[str]]:
    """Return the status, and what comes behind the last answer."""
    lines = plain(result.output)
    last = max(at for at, line in enumerate(lines) if line[:2] in ("> ", "< ", "# ", "! "))
    return result.exit_code, lines[last + 1 :]


# --- the exchange -----------------------------------------------------------------------------


def test_the_exchange_is_shown_as_smtpd_would_have_it(libexec: Path) -> None:
    rows(libexec, "alias", {"alice": "bob, carol@example.org"})
    result = run(lookup, LINE, "alias", "Alice")
    assert plain(result.output) == [
        f"# {libexec}/table-x /etc/t",
        "< config|smtpd-version|7.9.0",
        "< config|protocol|0.1",
        "< config|tablename|t",
        "< config|ready",
        "> register|alias",
        "> register|ready",
        "# ready after T",
        f"< table|0.1|T|t|lookup|alias|{ID}|alice",
        f"> lookup-result|{ID}|found|bob, carol@example.org",
        "# answered after T",
        "found: bob, carol@example.org",
        "smtpd: delivers to user bob; address carol@example.org",
    ]
    assert result.exit_code == 0


def test_what_is_not_there(libexec: Path) -> None:
    rows(libexec, "domain", {})
    assert end(run(check, LINE, "domain", "Example.COM")) == (
        1,
        ["not found", "smtpd: a rule that asks this does not match"],
    )


def test_a_check(libexec: Path) -> None:
    rows(libexec, "domain", {"example.com": "1"})
    result = run(check, LINE, "domain", "Example.COM")
    assert end(result) == (0, ["found", "smtpd: a rule that asks this matches"])
    assert f"< table|0.1|T|t|check|domain|{ID}|example.com" in plain(result.output)


def test_a_fetch_has_no_key(libexec: Path) -> None:
    program(
        libexec,
        "hello('source')\nfor verb, *_ in requests():\n"
        f" say(verb + '-result|{ID}|found|192.0.2.1\\n')",
    )
    result = run(lookup, LINE, "source")
    assert f"< table|0.1|T|t|fetch|source|{ID}" in plain(result.output)
    assert end(result) == (0, ["found: 192.0.2.1"])


def test_the_program_sees_what_smtpd_gives_it(libexec: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    program(
        libexec,
        f"out = open({str(log)!r}, 'w')\nhello('alias')\n"
        "same = os.fstat(0).st_ino == os.fstat(1).st_ino\n"
        "print(sys.argv[1:], os.getcwd(), same, file=out, flush=True)\n",
    )
    run(lookup, LINE, "alias", "a")
    assert log.read_text() == "['/etc/t'] / True\n"


def test_the_program_gets_nothing_of_the_operators_environment(
    libexec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    log = tmp_path / "log"
    program(libexec, f"open({str(log)!r}, 'w').write(repr(dict(os.environ)))\n")
    run(lookup, LINE, "alias", "a")
    seen = ast.literal_eval(log.read_text())
    seen.pop("LC_CTYPE", None)  # Python's own (PEP 538)
    assert seen == {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def test_argv_0_is_the_name_of_the_table(libexec: Path) -> None:
    (libexec / "table-x").symlink_to("/bin/sh")
    result = run(lookup, f"table t x:{libexec}/script", "alias", "a")
    assert "! t: " in result.output  # the shell names itself so


def test_other_versions_of_smtpd(libexec: Path) -> None:
    rows(libexec, "alias", {})
    result = run(lookup, LINE, "alias", "a", "--smtpd-version", "7.6.0-portable")
    assert "< config|smtpd-version|7.6.0-portable" in plain(result.output)
    result = run(lookup, LINE, "alias", "a", "--smtpd-version", "new")
    assert result.exit_code == 2


def test_the_log_of_the_table_is_shown(libexec: Path) -> None:
    program(
        libexec,
        "sys.stderr.write('one \\033[31m\\ntwo'); sys.stderr.flush()\nhello('alias')\n"
        f"for _ in requests(): say('lookup-result|{ID}|not-found\\n')",
    )
    lines = plain(run(lookup, LINE, "alias", "a").output)
    assert [line for line in lines if line.startswith("!")] == ["! one \\x1b[31m", "! two"]


def test_nothing_reaches_the_terminal_unescaped(libexec: Path) -> None:
    rows(libexec, "string", {"k": "\x1b[31m\t"})
    result = run(lookup, LINE, "string", "k")
    assert "\x1b" not in result.output
    assert f"> lookup-result|{ID}|found|\\x1b[31m\\t" in plain(result.output)


def test_a_service_that_was_not_registered(libexec: Path) -> None:
    rows(libexec, "alias", {"k": "v"})
    result = run(check, LINE, "domain", "k")
    assert "# the table did not register domain; smtpd asks all the same" in plain(result.output)
    assert result.exit_code == 0


@pytest.mark.parametrize("key", ["k" * 1024, "a\nb", "a\r"])
def test_keys_that_smtpd_does_not_ask_for(libexec: Path, key: str) -> None:
    rows(libexec, "alias", {})
    result = run(lookup, LINE, "alias", key)
    assert "error: smtpd does not ask: the key h" in result.output
    assert "< table" not in result.output
    assert result.exit_code == 3


# --- errors, and what smtpd dies of -----------------------------------------------------------


@pytest.mark.parametrize(
    ("handshake", "reason"),
    [
        ("config(); say('register|bogus\\n')", "table-proc: unknown service bogus"),
        ("config(); say('register|none\\n')", "table-proc: unknown service none"),
        ("config(); say('hello\\n')", "table-proc: invalid handshake reply"),
        ("config(); say('register|ready\\n')", "table-proc: no services registered"),
        ("config(); say('register|alias\\n'); sys.exit(3)", "the table exited with status 3"),
        ("os.close(0); os.close(1); time.sleep(300)", "the table hung up"),
        ("os.kill(os.getpid(), 9)", "the table died of SIGKILL"),
    ],
)
def test_handshakes_that_end_smtpd(libexec: Path, handshake: str, reason: str) -> None:
    program(libexec, f"{handshake}\nsys.stdin.read()")
    assert end(run(lookup, LINE, "alias", "a")) == (3, [f"fatal: {reason}", EXITED])


PARSE = "fatal: table-proc: failed to parse reply"


@pytest.mark.parametrize(
    ("verb", "answer", "verdict"),
    [
        ("lookup", "lookup-result|ffffffff|found|x\\n", PARSE),
        ("lookup", f"check-result|{ID}|found|x\\n", PARSE),
        ("fetch", f"lookup-result|{ID}|found|192.0.2.1\\n", PARSE),
        ("lookup", f"lookup-result|{ID}|found|\\n", "fatal: table-proc: empty response"),
        ("lookup", f"lookup-result|{ID}|found\\n", PARSE),
        ("lookup", f"lookup-result|{ID}|not-found\\r\\n", PARSE),
        ("lookup", f"lookup-result|{ID}\\n", PARSE),
        ("check", f"check-result|{ID}|maybe\\n", PARSE),
        ("check", "\\n", PARSE),
        (
            "check",
            f"check-result|{ID}|found\\ncheck-result|{ID}|found\\n",
            "fatal: more than one answer; to the next request, it is a wrong one",
        ),
    ],
)
def test_answers_that_end_smtpd(libexec: Path, verb: str, answer: str, verdict: str) -> None:
    program(libexec, f"hello('source')\nfor _ in requests(): say('{answer}')")
    command = check if verb == "check" else lookup
    result = run(command, LINE, "source", *(["k"] if verb != "fetch" else []))
    assert end(result) == (3, [verdict, EXITED])


def test_an_exit_instead_of_an_answer(libexec: Path) -> None:
    program(libexec, "hello('alias')\nsys.stdin.readline(); sys.stderr.write('broken\\n')")
    result = run(lookup, LINE, "alias", "a")
    assert end(result) == (3, ["fatal: the table exited with status 0", EXITED])
    assert "! broken" in result.output


@pytest.mark.parametrize(
    ("service", "answer", "verdict", "effect"),
    [
        (
            "alias",
            "error|disk full",
            "error: disk full",
            'the recipient gets "424 4.2.4 Mailing list expansion problem"',
        ),
        ("userinfo", "error", "error", 'the recipient gets "451 Temporary failure"'),
        (
            "userinfo",
            "found|nobody:1:/",
            "error: smtpd cannot read this value: no uid:gid:home with numbers for uid and gid",
            'the recipient gets "451 Temporary failure"',
        ),
    ],
)
def test_errors(libexec: Path, service: str, answer: str, verdict: str, effect: str) -> None:
    program(
        libexec, f"hello('{service}')\nfor _ in requests(): say('lookup-result|{ID}|{answer}\\n')"
    )
    assert end(run(lookup, LINE, service, "a")) == (3, [verdict, f"smtpd: {effect}"])


def test_silence(libexec: Path, tmp_path: Path) -> None:
    """The program is ended, and what it started."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    program(
        libexec,
        f"os.set_inheritable(os.open({str(fifo)!r}, os.O_WRONLY), True)\nhello('alias')\n"
        "import subprocess\nsubprocess.Popen(['sleep', '300'], close_fds=False)\n"
        "for _ in requests(): time.sleep(300)",
    )
    result = run(lookup, LINE, "alias", "a", "--timeout", "2")
    effect = "smtpd: it would wait for ever, and all mail with it"
    assert end(result) == (3, ["error: no answer within 2 s", effect])
    assert os.read(reader, 1) == b""  # the end, for nobody has it open any more
    os.close(reader)


def test_silence_in_the_handshake_with_a_closed_stderr(libexec: Path) -> None:
    program(libexec, "os.close(2)\ntime.sleep(300)")
    result = run(lookup, LINE, "alias", "a", "--timeout", "0.5")
    assert "error: no answer within 0.5 s" in result.output


# --- which program ----------------------------------------------------------------------------


def test_files_of_smtpd_are_asked_of_our_table(libexec: Path) -> None:
    rows(libexec, "alias", {"a": "b"}, name="table-flat")
    result = run(lookup, "file:/etc/mail/aliases", "alias", "a")
    assert plain(result.output)[:2] == [
        "# smtpd reads file: tables itself; our table-flat is asked instead",
        f"# {libexec}/table-flat /etc/mail/aliases",
    ]
    assert "< config|tablename|aliases" in result.output
    assert result.exit_code == 0


def test_a_program_elsewhere(
    libexec: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    rows(folder, "alias", {"a": "b"})
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    result = run(lookup, LINE, "alias", "a")
    assert plain(result.output)[:2] == [
        "# not where smtpd looks for its tables: smtpd itself would not find it",
        f"# {folder}/table-x /etc/t",
    ]


def test_no_program(libexec: Path) -> None:
    result = run(lookup, "nosuch:/etc/t", "alias", "a")
    where = f"smtpd wants it in its own directory, as {libexec}"
    assert result.output == f"x: there is no program table-nosuch; {where}\n"
    assert result.exit_code == 3


def test_a_program_that_cannot_be_run(libexec: Path) -> None:
    (libexec / "table-x").write_text("text")
    assert end(run(lookup, LINE, "alias", "a")) == (
        3,
        [f"fatal: {libexec}/table-x cannot be run: Permission denied", EXITED],
    )


# --- secrets ----------------------------------------------------------------------------------

PASSWORD = "Hunter2|x:ü"
REPEAT = """
hello("auth")
for verb, service, id, key in requests():
    sys.stderr.write("asked " + key + "\\n")
    sys.stderr.flush()
    say("check-result|%s|error|%s\\n" % (id, key))
"""


@pytest.mark.parametrize("typed", [f"Alice:{PASSWORD}", "Alice"])
def test_a_password_is_never_shown(libexec: Path, typed: str) -> None:
    program(libexec, REPEAT)
    result = run(check, LINE, "auth", typed, stdin=f"{PASSWORD}\n")
    lines = plain(result.output)
    assert "Hunter2" not in result.output
    assert f"< table|0.1|T|t|check|auth|{ID}|Alice:***" in lines
    assert f"> check-result|{ID}|error|Alice:***" in lines
    assert "! asked Alice:***" in lines


@pytest.mark.parametrize(
    ("version", "status"), [("7.9.0", 0), ("8.0", 0), ("7.8.0", 1), ("7.6.0-portable", 1)]
)
def test_a_password_is_sent_as_this_smtpd_does(libexec: Path, version: str, status: int) -> None:
    rows(libexec, "auth", {f"alice:{PASSWORD}": "1"})
    result = run(check, LINE, "auth", "alice", "--smtpd-version", version, stdin=PASSWORD)
    assert result.exit_code == status
    assert "smtpd: the password is right" in result.output or status


def test_auth_that_was_not_registered(libexec: Path) -> None:
    rows(libexec, "credentials", {})
    result = run(check, LINE, "auth", "a:b")
    effect = "smtpd: it looks up credentials instead, and checks the hash itself"
    assert end(result) == (3, ["error: the table did not register auth", effect])


def test_no_password(libexec: Path) -> None:
    rows(libexec, "auth", {})
    result = run(check, LINE, "auth", "alice")
    assert "there is no password on standard input" in result.output
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("value", "visible"),
    [
        ("alice:$2b$10$abcdef", "alice:$2b$***"),
        ("$6$salt$hash", "$6$***"),
        ("relay:plain:text", "relay:***"),
    ],
)
def test_hashes_are_not_shown(libexec: Path, value: str, visible: str) -> None:
    rows(libexec, "credentials", {"alice": value})
    result = run(lookup, LINE, "credentials", "alice")
    assert f"> lookup-result|{ID}|found|{visible}" in plain(result.output)
    assert end(result) == (0, [f"found: {visible}"])
    assert value not in result.output


# --- --all ------------------------------------------------------------------------------------


def asked(result: Result) -> list[str]:
    mark = f"|lookup|alias|{ID}|"
    return [line.partition(mark)[2] for line in plain(result.output) if mark in line]


def test_all_keys_of_a_virtual_address(libexec: Path) -> None:
    rows(libexec, "alias", {})
    result = run(lookup, LINE, "virtual", "Al+Tag@Example.org", "--all")
    keys = ["al+tag@example.org", "al@example.org", "al+tag", "al", "@example.org", "@"]
    assert asked(result) == keys
    assert end(result) == (
        1,
        [
            *(f"{number}. {key}: not found" for number, key in enumerate(keys, 1)),
            "not found",
            'smtpd: the recipient gets "524 5.2.4 Mailing list expansion problem"',
        ],
    )


def test_all_stops_where_smtpd_stops(libexec: Path) -> None:
    rows(libexec, "alias", {"al": "bob", "@": "root"})
    result = run(lookup, LINE, "virtual", "al@example.org", "--all")
    assert asked(result) == ["al@example.org", "al"]
    assert end(result) == (
        0,
        [
            "1. al@example.org: not found",
            "2. al: found",
            "3. @example.org: not asked",
            "4. @: not asked",
            "found: bob",
            "smtpd: delivers to user bob",
        ],
    )


def test_all_stops_at_an_error(libexec: Path) -> None:
    program(libexec, f"hello('alias')\nfor _ in requests(): say('lookup-result|{ID}|error\\n')")
    result = run(lookup, LINE, "alias", "al+tag@example.org", "--all")
    assert asked(result) == ["al+tag"]
    assert plain(result.output)[-4:] == [
        "1. al+tag: error",
        "2. al: not asked",
        "error",
        'smtpd: the recipient gets "424 4.2.4 Mailing list expansion problem"',
    ]


def test_another_delimiter(libexec: Path) -> None:
    rows(libexec, "alias", {})
    result = run(lookup, LINE, "alias", "al-tag+x", "--all", "--delimiter", "-")
    assert asked(result) == ["al-tag+x", "al"]


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(0.0004196, "420 µs"), (0.0123, "12.3 ms"), (0.9, "900.0 ms"), (61.234, "61.23 s")],
)
def test_times(seconds: float, wanted: str) -> None:
    assert duration(seconds) == wanted


# --- usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "argv", "text"),
    [
        (lookup, ["alias"], "Missing argument 'KEY'."),
        (lookup, ["virtual", "a@b"], "virtual goes with --all"),
        (lookup, ["domain", "a@b", "--all"], "--all wants the service alias or virtual"),
        (lookup, ["alias", "--all"], "--all wants the service alias or virtual"),
        (lookup, ["alias", "a", "--all", "--delimiter", "++"], "one character"),
        (lookup, ["auth", "a:b"], "smtpd does not look up auth: use check"),
        (lookup, ["nonsense", "a"], "nonsense"),
        (check, ["domain"], "Missing argument 'KEY'."),
        (check, ["virtual", "a"], "virtual"),
        (check, ["domain", "a", "--timeout", "nan"], "'nan' is no time"),
    ],
)
def test_usage(command: Command, argv: list[str], text: str) -> None:
    result = run(command, LINE, *argv)
    assert text in result.output
    assert result.exit_code == 2


def test_interrupted(libexec: Path, tmp_path: Path) -> None:
    """Ctrl-C ends the program, too."""
    pid = tmp_path / "pid"
    program(
        libexec,
        f"open({str(pid)!r}, 'w').write(str(os.getpid()) + '\\n')\ntime.sleep(300)",
    )
    code = (
        "import sys\nfrom opensmtpd_cli import __main__\n"
        "from opensmtpd_cli.system import libexec, users\n"
        f"libexec.folders = lambda: ({str(libexec)!r},)\nusers.USERS = ()\n"
        f"sys.argv[1:] = ['lookup', {LINE!r}, 'alias', 'a', '--timeout', '60']\n"
        "__main__.main()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    try:
        for _ in range(2000):
            if pid.exists() and pid.read_text().endswith("\n"):
                break
            time.sleep(0.01)
        process.send_signal(2)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
