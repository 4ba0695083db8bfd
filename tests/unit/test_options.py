"""The options that every filter has, and every table."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from opensmtpd.options import filter_parser, patience, table_parser

OPTIONS = filter_parser("filter-x", "Does nothing.", "See also: nothing.")
TABLE = table_parser("table-x", "Serves nothing.", "See also: nothing.")


def test_defaults() -> None:
    assert vars(OPTIONS.parse_args([])) == {
        "deadline": 60.0,
        "on_failure": "tempfail",
        "spool_max": 1 << 30,
        "no_sandbox": False,
        "message_max": None,
        "check": False,
        "debug": False,
    }


def test_patience() -> None:
    assert [patience(each) for each in (1.0, 50.0, 60.0, 240.0)] == [0.9, 45.0, 55.0, 235.0]


@pytest.mark.parametrize(
    ("argv", "name", "value"),
    [
        (["--deadline", "2.5"], "deadline", 2.5),
        (["--deadline", "240"], "deadline", 240.0),
        (["--deadline", "300"], "deadline", 240.0),
        (["--on-failure", "pass"], "on_failure", "pass"),
        (["--on-failure", "tempfail"], "on_failure", "tempfail"),
        (["--spool-max", "0"], "spool_max", 0),
        (["--spool-max", "1000"], "spool_max", 1000),
        (["--spool-max", "3K"], "spool_max", 3072),
        (["--spool-max", "512M"], "spool_max", 536870912),
        (["--spool-max", "20G"], "spool_max", 21474836480),
        (["--message-max", "10M"], "message_max", 10 << 20),
        (["-n"], "check", True),
        (["--check"], "check", True),
        (["--debug"], "debug", True),
    ],
)
def test_options(argv: list[str], name: str, value: object) -> None:
    assert getattr(OPTIONS.parse_args(argv), name) == value


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--deadline", "0"], "'0' is not a number of seconds above 0"),
        (["--deadline", "-1"], "argument --deadline"),
        (["--deadline", "soon"], "'soon' is not a number of seconds above 0"),
        (["--deadline", "nan"], "'nan' is not a number of seconds above 0"),
        (["--deadline", "inf"], "'inf' is not a number of seconds above 0"),
        (["--spool-max", ""], "'' is not a size such as 512M or 2G"),
        (["--spool-max", "G"], "'G' is not a size such as 512M or 2G"),
        (["--spool-max", "1T"], "'1T' is not a size such as 512M or 2G"),
        (["--spool-max", "1g"], "'1g' is not a size such as 512M or 2G"),
        (["--spool-max", "-1"], "argument --spool-max"),
        (["--spool-max", "1.5G"], "'1.5G' is not a size such as 512M or 2G"),
        (["--spool-max", "\u0661G"], "is not a size such as 512M or 2G"),
        (["--message-max", "-1"], "argument --message-max"),
        (["--on-failure", "junk"], "invalid choice: 'junk'"),
        (["--dead", "1"], "filter-x: there is no option --dead; --help lists all\n"),
        (["--deadlin", "1"], "filter-x: there is no option --deadlin; did you mean --deadline?\n"),
        (["--onfailure=x"], "filter-x: there is no option --onfailure; did you mean --on-failure?"),
        (["-q"], "filter-x: there is no option -q; --help lists all\n"),
        (["file"], "filter-x: unrecognized arguments: file; remove them\n"),
        (["--deadline"], "filter-x: argument --deadline: expected one argument\n"),
    ],
)
def test_usage_errors(argv: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        OPTIONS.parse_args(argv)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        OPTIONS.parse_args([option])
    assert caught.value.code == 0
    number = version("opensmtpd-plugins")
    assert capsys.readouterr().out == f"filter-x (opensmtpd-plugins {number})\n"


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        OPTIONS.parse_args(["--help"])
    text = capsys.readouterr().out
    for part in (
        "Does nothing.",
        "See also: nothing.",
        "--deadline SECONDS",
        "-n, --check",
        "--debug",
        "451",
    ):
        assert part in text


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "path", "check"),
    [
        (["/etc/mail/t"], "/etc/mail/t", False),
        (["-n", "/etc/mail/t"], "/etc/mail/t", True),
        (["/etc/mail/t", "--check"], "/etc/mail/t", True),
        (["--", "-n"], "-n", False),
        (["\udcff"], "\udcff", False),
    ],
)
def test_a_table_is_given_one_path(argv: list[str], path: str, check: bool) -> None:
    assert vars(TABLE.parse_args(argv)) == {"path": path, "check": check, "debug": False}


def test_a_table_may_log_tracebacks() -> None:
    assert TABLE.parse_args(["--debug", "/x"]).debug


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ([], "the following arguments are required: FILE"),
        (["-n"], "the following arguments are required: FILE"),
        (["/a", "/b"], "unrecognized arguments: /b; remove them"),
        (["--deadline", "1", "/a"], "there is no option --deadline; --help lists all"),
        (["--on-failure", "pass", "/a"], "there is no option --on-failure; --help lists all"),
        (["--chec", "/a"], "there is no option --chec; did you mean --check?"),
    ],
)
def test_usage_errors_of_tables(
    argv: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        TABLE.parse_args(argv)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_version_of_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        TABLE.parse_args(["-V"])
    assert caught.value.code == 0
    number = version("opensmtpd-plugins")
    assert capsys.readouterr().out == f"table-x (opensmtpd-plugins {number})\n"


def test_help_of_a_table_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        TABLE.parse_args(["--help"])
    text = capsys.readouterr().out
    for part in (
        "Serves nothing.",
        "See also: nothing.",
        "FILE",
        "-n, --check",
        "--debug",
        "every table has",
    ):
        assert part in text
    assert "--deadline" not in text


# --- the help -------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [60, 100])
def test_the_help_is_as_wide_as_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = filter_parser("filter-x", "A filter.").format_help().splitlines()
    assert columns - 20 < max(map(len, lines)) <= columns - 2


@pytest.mark.parametrize("columns", ["", "0", "wide"])
def test_the_help_without_a_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = filter_parser("filter-x", "A filter.").format_help().splitlines()
    assert 60 < max(map(len, lines)) <= 78


def test_a_parser_loads_nothing_slow() -> None:
    program = (
        "import sys\n"
        "from opensmtpd import options\n"
        "options.filter_parser('filter-x', '').parse_args([])\n"
        "print([name for name in ('shutil', 'zlib', 'bz2') if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout == b"[]\n"
