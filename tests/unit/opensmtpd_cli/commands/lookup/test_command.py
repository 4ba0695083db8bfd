"""``lookup``: the keys that are sent, the verdict, and its effect on smtpd."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opensmtpd_cli.system import smtpd_conf
from unit.support.processes import PATIENCE, default_action, written
from unit.support.small_tables import EXITED, ID, LINE, end, plain, program, rows, run
from unit.support.swap import Program, Said

pytestmark = pytest.mark.usefixtures("libexec", "patient", "same_ids")


def test_what_is_not_there(libexec: Path) -> None:
    rows(libexec, "domain", {})
    assert end(run("--check", LINE, "domain", "Example.COM")) == (
        1,
        ["not found", "smtpd: a rule that asks this does not match"],
    )


def test_a_check(libexec: Path) -> None:
    rows(libexec, "domain", {"example.com": "1"})
    result = run("--check", LINE, "domain", "Example.COM")
    assert end(result) == (0, ["found", "smtpd: a rule that asks this matches"])
    assert f"< table|0.1|T|t|check|domain|{ID}|example.com" in plain(result.output)


def test_a_fetch_has_no_key(libexec: Path) -> None:
    program(
        libexec,
        "hello('source')\nfor verb, *_ in requests():\n"
        f" say(verb + '-result|{ID}|found|192.0.2.1\\n')",
    )
    result = run(LINE, "source")
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
    run(LINE, "alias", "a")
    assert log.read_text() == "['/etc/t'] / True\n"


def test_the_table_hears_the_version_of_the_installed_smtpd(
    libexec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensmtpd_cli.options.installed_version", lambda: (7, 6, 0))
    rows(libexec, "alias", {})
    hello = "< config|smtpd-version|%s"
    assert hello % "7.6.0" in plain(run(LINE, "alias", "a").output)
    given = run("--smtpd-version", "7.9.0", LINE, "alias", "a")
    assert hello % "7.9.0" in plain(given.output)


def test_no_password(libexec: Path) -> None:
    rows(libexec, "auth", {})
    result = run("--check", LINE, "auth", "alice")
    assert "there is no password on standard input" in result.output
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--service", "alias"], "Missing argument 'KEY'."),
        (["virtual", "a@b"], "virtual goes with --all"),
        (["domain", "a@b", "--all"], "--all wants the service alias or virtual"),
        (["--service", "alias", "--all"], "--all wants the service alias or virtual"),
        (["alias", "a", "--all", "--delimiter", "++"], "one character"),
        (["alias", "a", "--all", "--check"], "--all goes without --check"),
        (["alias", "a", "--service", "alias"], "the service is given twice"),
        (["auth", "a:b"], "smtpd does not look up auth: use --check"),
        (["nonsense", "a"], "nonsense"),
        (["--service", "nonsense", "a"], "nonsense"),
        (["--check", "--service", "domain"], "Missing argument 'KEY'."),
        (["--check", "virtual", "a"], "virtual goes with --all"),
        (["--check", "domain", "a", "--timeout", "nan"], "'nan' is no time"),
        (["alice"], "what smtpd asks of table t is not known: no use of it was found; name"),
        ([], "what smtpd asks of table t is not known: no use of it was found; name"),
    ],
)
def test_usage(argv: list[str], text: str) -> None:
    result = run(LINE, *argv)
    assert text in result.output
    assert result.exit_code == 2


def test_interrupted(libexec: Path, tmp_path: Path) -> None:
    """Ctrl-C ends the table, too."""
    pid = tmp_path / "pid"
    program(
        libexec,
        f"open({str(pid)!r}, 'w').write(str(os.getpid()) + '\\n')\ntime.sleep(300)",
    )
    code = (
        "import sys\nfrom opensmtpd_cli import __main__\n"
        "from opensmtpd_cli.system import libexec, users\n"
        f"libexec.folders = lambda: ({str(libexec)!r},)\nusers.USERS = ()\n"
        f"sys.argv[1:] = ['lookup', '-v', {LINE!r}, 'alias', 'a', '--timeout', '600']\n"
        "__main__.main()\n"
    )
    with default_action(signal.SIGINT):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    try:
        written(pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    finally:
        process.kill()
        process.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


# --- the bare value ---------------------------------------------------------------------------


Bare = Callable[..., Said]


@pytest.fixture
def bare(capsys: pytest.CaptureFixture[str]) -> Bare:
    """``lookup`` as it is typed, but for its patience."""
    program = Program(capsys)
    return lambda *argv: program("lookup", *argv, "--timeout", "60")


def test_the_value_alone(libexec: Path, bare: Bare) -> None:
    rows(libexec, "alias", {"alice": "bob, carol@example.org"})
    assert bare(LINE, "alias", "Alice") == (0, "bob, carol@example.org\n", "")


def test_a_value_that_is_not_there(libexec: Path, bare: Bare) -> None:
    rows(libexec, "alias", {})
    effect = "smtpd: goes on without an alias"
    assert bare(LINE, "alias", "alice") == (1, "", f"not found\n{effect}\n")


def test_a_value_that_smtpd_has_no_use_for(libexec: Path, bare: Bare) -> None:
    rows(libexec, "domain", {"example.org": "1"})
    effect = "smtpd: only checks domain, and asks for no value"
    assert bare(LINE, "domain", "example.org") == (0, "1\n", f"{effect}\n")


def test_a_check_has_no_value(libexec: Path, bare: Bare) -> None:
    rows(libexec, "domain", {"example.org": "1"})
    status, out, _ = bare("--check", LINE, "domain", "example.org")
    assert (status, out) == (0, "found\n")


def test_a_value_is_made_harmless(libexec: Path, bare: Bare) -> None:
    rows(libexec, "string", {"k": "\x1b[31m"})
    assert bare(LINE, "string", "k").out == "\\x1b[31m\n"


def test_a_password_is_not_the_value(libexec: Path, bare: Bare) -> None:
    rows(libexec, "credentials", {"alice": "alice:$6$saltsalt$" + 86 * "Z"})
    result = bare(LINE, "credentials", "alice")
    assert (result.status, result.out) == (0, "alice:***\n")
    assert "ZZZ" not in result.out + result.err


def test_an_error_is_no_value(libexec: Path, bare: Bare) -> None:
    program(libexec, f"hello('alias')\nfor _ in requests(): say('lookup-result|{ID}|found|\\n')")
    result = bare(LINE, "alias", "a")
    assert result == (3, "", f"fatal: table-proc: empty response\n{EXITED}\n")


def test_quiet_leaves_the_exchange_out(libexec: Path, run: Program) -> None:
    rows(libexec, "alias", {"alice": "bob"})
    words = ("lookup", "-v", LINE, "alias", "alice", "--timeout", "60", "--quiet")
    assert run(*words) == (0, "found: bob\nsmtpd: delivers to user bob\n", "")


# --- names of smtpd.conf ----------------------------------------------------------------------

CONF = """
smtp sub-addr-delim "-"
table aliases x:/etc/aliases
table domains \\
    "x:/etc/domains"
table virtuals x:/etc/virtuals
table hosts x:/etc/hosts
table both x:/etc/both
table unused x:/etc/unused
table rows { a = b }
action "local" maildir alias <aliases>
action "virtual" expand-only virtual <virtuals>
action "out" relay src <hosts>
match for domain <domains> action "local"
match for domain <both> action "local"
match mail-from <both> for any action "out"
"""


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "smtpd.conf"
    path.write_text(CONF)
    monkeypatch.setattr(smtpd_conf, "PATHS", (str(path),))
    return path


@pytest.mark.usefixtures("conf")
def test_a_table_by_its_name(libexec: Path, bare: Bare) -> None:
    rows(libexec, "alias", {"alice": "bob"})
    assert bare("aliases", "alice") == (0, "bob\n", "")
    lines = plain(run("aliases", "alice").output)
    assert lines[0] == f"# {libexec}/table-x /etc/aliases"
    assert "< config|tablename|aliases" in lines
    assert f"< table|0.1|T|aliases|lookup|alias|{ID}|alice" in lines


@pytest.mark.usefixtures("conf")
def test_a_table_that_rules_check_is_checked(libexec: Path, bare: Bare) -> None:
    rows(libexec, "domain", {"example.org": "1"})
    lines = plain(run("domains", "example.org").output)
    assert f"< table|0.1|T|domains|check|domain|{ID}|example.org" in lines
    assert bare("domains", "example.org") == (0, "found\n", "")
    assert bare("domains", "example.net")[:2] == (1, "")


@pytest.mark.usefixtures("conf")
def test_a_list_of_which_smtpd_takes_the_next(libexec: Path, bare: Bare) -> None:
    program(
        libexec,
        "hello('source')\nfor verb, *_ in requests():\n"
        f" say(verb + '-result|{ID}|found|192.0.2.1\\n')",
    )
    assert bare("hosts") == (0, "192.0.2.1\n", "")
    assert "|fetch|source|" in run("hosts").output
    assert "|lookup|source|" in run("hosts", "k").output


@pytest.mark.usefixtures("conf")
def test_three_words_name_the_service(libexec: Path, bare: Bare) -> None:
    rows(libexec, "userinfo", {"alice": "1:2:/home/alice"})
    assert bare("aliases", "userinfo", "alice") == (0, "1:2:/home/alice\n", "")
    assert bare("aliases", "alice", "--service", "userinfo")[1] == "1:2:/home/alice\n"


@pytest.mark.usefixtures("conf")
def test_all_keys_by_the_name_and_delimiter_of_smtpd_conf(libexec: Path, bare: Bare) -> None:
    rows(libexec, "alias", {})
    result = bare("--all", "virtuals", "Al-Tag@Example.org")
    keys = ["al-tag@example.org", "al@example.org", "al-tag", "al", "@example.org", "@"]
    listed = [f"{number}. {key}: not found" for number, key in enumerate(keys, 1)]
    assert result.out.splitlines() == listed
    assert bare("--all", "aliases", "al-tag@x").out.splitlines() == [
        "1. al-tag: not found",
        "2. al: not found",
    ]


@pytest.mark.parametrize(
    ("argv", "status", "fault"),
    [
        (
            ["both", "example.org"],
            *(2, "smtpd asks table both for domain and mailaddr; say --service domain or"),
        ),
        (["unused", "x"], 2, "what smtpd asks of table unused is not known: no use of it was fou"),
        (["aliases"], 2, "Missing argument 'KEY'"),
        (["rows", "a"], 3, "smtpd.conf:10: the rows of table rows stand here: there is nothing to"),
        (["alises", "a"], 3, "smtpd.conf has no table alises; did you mean aliases?; give its li"),
    ],
)
@pytest.mark.usefixtures("conf")
def test_names_that_do_not_say_enough(argv: list[str], status: int, fault: str, bare: Bare) -> None:
    result = bare(*argv)
    assert fault in result.err
    assert (result.status, result.out) == (status, "")


def test_another_smtpd_conf(libexec: Path, tmp_path: Path, bare: Bare) -> None:
    rows(libexec, "alias", {"alice": "bob"})
    other = tmp_path / "other.conf"
    other.write_text("table t x:/etc/t\naction a maildir alias <t>\n")
    assert bare("t", "alice", "--conf", str(other)) == (0, "bob\n", "")
    result = bare("t", "alice", "--conf", str(tmp_path / "none"))
    assert (result.status, result.out) == (3, "")
    assert f"{tmp_path}/none: cannot read it" in result.err


def test_a_table_without_a_file_is_asked_by_its_kind(libexec: Path, bare: Bare) -> None:
    rows(libexec, "alias", {"alice": "bob"})
    assert bare("x", "alias", "alice") == (0, "bob\n", "")
