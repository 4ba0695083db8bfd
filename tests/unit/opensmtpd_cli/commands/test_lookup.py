"""``lookup`` and ``check``: the keys that are sent, the verdict, and its effect on smtpd."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click import Command
from click.testing import Result

from opensmtpd_cli.commands.lookup import check, lookup
from unit.support.processes import PATIENCE, default_action, written
from unit.support.small_tables import ID, LINE, end, plain, program, rows, run

pytestmark = pytest.mark.usefixtures("libexec", "patient", "same_ids")

# --- the exchange -----------------------------------------------------------------------------


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


def test_the_table_hears_the_version_of_the_installed_smtpd(
    libexec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensmtpd_cli.options.installed_version", lambda: (7, 6, 0))
    rows(libexec, "alias", {})
    hello = "< config|smtpd-version|%s"
    assert hello % "7.6.0" in plain(run(lookup, LINE, "alias", "a").output)
    given = run(lookup, "--smtpd-version", "7.9.0", LINE, "alias", "a")
    assert hello % "7.9.0" in plain(given.output)


# --- errors, and what smtpd dies of -----------------------------------------------------------


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


# --- secrets ----------------------------------------------------------------------------------


def test_no_password(libexec: Path) -> None:
    rows(libexec, "auth", {})
    result = run(check, LINE, "auth", "alice")
    assert "there is no password on standard input" in result.output
    assert result.exit_code == 2


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
        f"sys.argv[1:] = ['lookup', {LINE!r}, 'alias', 'a', '--timeout', '600']\n"
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
