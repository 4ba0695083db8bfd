"""The exchange with a table: shown as it is, judged as smtpd judges it, without its secrets."""

import os
import select
from pathlib import Path

import pytest

from opensmtpd_cli.plugin.table_exchange import Exchange, duration
from unit.support.processes import PATIENCE
from unit.support.small_tables import EXITED, ID, LINE, ROWS, end, plain, program, rows, run

pytestmark = pytest.mark.usefixtures("libexec", "patient", "same_ids")


def test_the_exchange_is_shown_as_smtpd_would_have_it(libexec: Path) -> None:
    rows(libexec, "alias", {"alice": "bob, carol@example.org"})
    result = run(LINE, "alias", "Alice")
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


def test_argv_0_is_the_name_of_the_table(libexec: Path) -> None:
    (libexec / "table-x").symlink_to("/bin/sh")
    result = run(f"table t x:{libexec}/script", "alias", "a")
    assert "! t: " in result.output  # the shell names itself so


def test_other_versions_of_smtpd(libexec: Path) -> None:
    rows(libexec, "alias", {})
    result = run(LINE, "alias", "a", "--smtpd-version", "7.6.0-portable")
    assert "< config|smtpd-version|7.6.0-portable" in plain(result.output)
    result = run(LINE, "alias", "a", "--smtpd-version", "new")
    assert result.exit_code == 2


def test_the_log_of_the_table_is_shown(libexec: Path) -> None:
    program(
        libexec,
        "sys.stderr.write('one \\033[31m\\ntwo'); sys.stderr.flush()\nhello('alias')\n"
        f"for _ in requests(): say('lookup-result|{ID}|not-found\\n')",
    )
    lines = plain(run(LINE, "alias", "a").output)
    assert [line for line in lines if line.startswith("!")] == ["! one \\x1b[31m", "! two"]


def test_nothing_reaches_the_terminal_unescaped(libexec: Path) -> None:
    rows(libexec, "string", {"k": "\x1b[31m\t"})
    result = run(LINE, "string", "k")
    assert "\x1b" not in result.output
    assert f"> lookup-result|{ID}|found|\\x1b[31m\\t" in plain(result.output)


def test_a_service_that_was_not_registered(libexec: Path) -> None:
    rows(libexec, "alias", {"k": "v"})
    result = run("--check", LINE, "domain", "k")
    assert "# the table did not register domain; smtpd asks all the same" in plain(result.output)
    assert result.exit_code == 0


@pytest.mark.parametrize("key", ["k" * 1024, "a\nb", "a\r"])
def test_keys_that_smtpd_does_not_ask_for(libexec: Path, key: str) -> None:
    rows(libexec, "alias", {})
    result = run(LINE, "alias", key)
    assert "error: smtpd does not ask: the key h" in result.output
    assert "< table" not in result.output
    assert result.exit_code == 3


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
def test_handshakes_that_end_smtpd(
    libexec: Path, request: pytest.FixtureRequest, handshake: str, reason: str
) -> None:
    if "sleep" in handshake:
        request.getfixturevalue("graceless")
    program(libexec, f"{handshake}\nsys.stdin.read()")
    assert end(run(LINE, "alias", "a")) == (3, [f"fatal: {reason}", EXITED])


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
    flags = ["--check"] if verb == "check" else []
    result = run(*flags, LINE, "source", *(["k"] if verb != "fetch" else []))
    assert end(result) == (3, [verdict, EXITED])


def test_an_exit_instead_of_an_answer(libexec: Path) -> None:
    program(libexec, "hello('alias')\nsys.stdin.readline(); sys.stderr.write('broken\\n')")
    result = run(LINE, "alias", "a")
    assert end(result) == (3, ["fatal: the table exited with status 0", EXITED])
    assert "! broken" in result.output


@pytest.mark.usefixtures("graceless")
def test_silence(libexec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is ended, and what it started."""
    hello = Exchange.hello

    def patched(exchange: Exchange) -> None:
        hello(exchange)
        exchange.timeout = exchange._talk._timeout = 0.5

    monkeypatch.setattr(Exchange, "hello", patched)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    program(
        libexec,
        f"os.set_inheritable(os.open({str(fifo)!r}, os.O_WRONLY), True)\nhello('alias')\n"
        "import subprocess\nsubprocess.Popen(['sleep', '300'], close_fds=False)\n"
        "for _ in requests(): time.sleep(300)",
    )
    result = run(LINE, "alias", "a")
    effect = "smtpd: it would wait for ever, and all mail with it"
    assert end(result) == (3, ["error: no answer within 0.5 s", effect])
    assert select.select([reader], [], [], PATIENCE)[0]  # a killed process need not be gone yet
    assert os.read(reader, 1) == b""  # the end, for nobody has it open any more
    os.close(reader)


def test_silence_in_the_handshake_with_a_closed_stderr(libexec: Path, graceless: None) -> None:
    program(libexec, "os.close(2)\ntime.sleep(300)")
    result = run(LINE, "alias", "a", "--timeout", "0.5")
    assert "error: no answer within 0.5 s" in result.output


PASSWORD = "Hunter2|x:ü"
HASH = "$6$saltsalt$" + 86 * "Z"


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
    result = run("--check", LINE, "auth", typed, stdin=f"{PASSWORD}\n")
    lines = plain(result.output)
    assert "Hunter2" not in result.output
    assert f"< table|0.1|T|t|check|auth|{ID}|***" in lines
    assert f"> check-result|{ID}|error|***" in lines
    assert "! asked ***" in lines
    assert "error: ***" in lines


@pytest.mark.parametrize("typed", ["abc", "r"])
def test_a_short_password_is_never_shown(libexec: Path, typed: str) -> None:
    program(libexec, REPEAT.replace("key)", "key[6:])"))
    lines = plain(run("--check", LINE, "auth", "Alice", stdin=f"{typed}\n").output)
    assert f"< table|0.1|T|t|check|auth|{ID}|***" in lines
    assert [line for line in lines if line.startswith(("! ", "error"))] == [
        "! asked ***",
        "error: ***",
    ]


@pytest.mark.parametrize(
    ("version", "status"), [("7.9.0", 0), ("8.0", 0), ("7.8.0", 1), ("7.6.0-portable", 1)]
)
def test_a_password_is_sent_as_this_smtpd_does(libexec: Path, version: str, status: int) -> None:
    rows(libexec, "auth", {f"alice:{PASSWORD}": "1"})
    result = run("--check", LINE, "auth", "alice", "--smtpd-version", version, stdin=PASSWORD)
    assert result.exit_code == status
    assert "smtpd: the password is right" in result.output or status


def test_auth_that_was_not_registered(libexec: Path) -> None:
    rows(libexec, "credentials", {})
    result = run("--check", LINE, "auth", "a:b")
    effect = "smtpd: it looks up credentials instead, and checks the hash itself"
    assert end(result) == (3, ["error: the table did not register auth", effect])


@pytest.mark.parametrize(
    ("value", "visible"),
    [
        (f"alice:{HASH}", "alice:***"),
        (f"Alice:{HASH}", "Alice:***"),
        (HASH, "***"),
        (f"{HASH}::::::", "***"),
        (f"alice:{HASH}:1000:1000::/home/alice", "alice:***"),
        ("pass:word", "***"),
        ("relay:plain:text", "***"),
        ("{PLAIN}secret", "***"),
        ("alice", "***"),
    ],
)
def test_nothing_but_the_user_of_a_login_is_shown(libexec: Path, value: str, visible: str) -> None:
    body = ROWS.replace("    say", "    sys.stderr.write(str(value) + '\\n'); say")
    program(libexec, body.format(services="credentials", rows={"alice": value}))
    result = run(LINE, "credentials", "alice")
    lines = plain(result.output)
    assert f"> lookup-result|{ID}|found|{visible}" in lines
    assert f"found: {visible}" in lines
    assert result.exit_code == 0
    for secret in (HASH[5:], "word", "plain:", "text", "secret", "1000"):
        assert secret not in result.output.replace("the password", "")
    assert "! ***" in lines or "! " + visible in lines


@pytest.mark.parametrize(
    "answer",
    [
        f"lookup-result|ffffffff|found|alice:{HASH}",
        f"lookup-result|{ID}|error|row 3: alice:{HASH}::::",
        f"lookup-result|{ID}|{HASH}",
        f"alice:{HASH}",
        f"lookup-result|{ID}|FOUND|alice:secret",
    ],
)
def test_a_hash_in_a_wrong_answer_is_not_shown(libexec: Path, answer: str) -> None:
    program(
        libexec, f"hello('credentials')\nfor _ in requests(): sys.stderr.write('{answer}\\n');"
        f" sys.stderr.flush(); say('{answer}\\n')"
    )  # fmt: skip
    result = run(LINE, "credentials", "alice:secret")
    assert result.exit_code == 3
    assert HASH[12:] not in result.output
    assert "secret" not in result.output
    assert f"< table|0.1|T|t|lookup|credentials|{ID}|alice:***" in plain(result.output)


@pytest.mark.parametrize("last", ["sys.exit(0)", "time.sleep(300)"])
def test_the_log_is_shown_where_no_answer_comes(libexec: Path, graceless: None, last: str) -> None:
    program(
        libexec, "hello('credentials')\nsys.stdin.readline(); sys.stderr.write('broken\\n')\n"
        f"sys.stderr.flush(); {last}"
    )  # fmt: skip
    result = run(LINE, "credentials", "alice", "--timeout", "2")
    assert result.exit_code == 3
    assert plain(result.output).count("! broken") == 1


@pytest.mark.parametrize("service", ["alias", "string", "mailaddrmap", "userinfo"])
def test_a_hash_that_another_service_gives_is_not_shown(libexec: Path, service: str) -> None:
    """table-flat has a row, whatever it is asked for."""
    rows(libexec, service, {"alice": f"alice:{{CRYPT}}{HASH}"})
    result = run(LINE, service, "alice")
    assert f"> lookup-result|{ID}|found|alice:***" in plain(result.output)
    assert HASH[3:] not in result.output


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(0.0004196, "420 µs"), (0.0123, "12.3 ms"), (0.9, "900.0 ms"), (61.234, "61.23 s")],
)
def test_times(seconds: float, wanted: str) -> None:
    assert duration(seconds) == wanted
