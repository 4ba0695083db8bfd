"""filter-dnsbl: its command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.dnsbl import options
from opensmtpd.mail.dnsbl.lists import List, Subject
from opensmtpd.mail.dnsbl.return_codes import mask
from opensmtpd_filters.dnsbl import Dnsbl, main, parser
from unit.support.processes import CHECKED

ZEN = List("zen.spamhaus.org", "zen.spamhaus.org")
WHITE = List("list.dnswl.org", "list.dnswl.org", allow=True)
DBL = List("dbl.spamhaus.org", "dbl.spamhaus.org")


def make(line: str) -> Dnsbl:
    return Dnsbl(parser().parse_args(options.in_order(parser(), line.split())))


# --- lists and their flags ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "lists"),
    [
        ("zen.spamhaus.org", [ZEN]),
        ("-m -v zen.spamhaus.org", [ZEN]),
        ("-mv -- -w list.dnswl.org zen.spamhaus.org", [WHITE, ZEN]),
        ("-mv zen.spamhaus.org -w list.dnswl.org", [ZEN, WHITE]),
        ("-m -- -w -d list.dnswl.org", [WHITE._replace(subject=Subject.RDNS)]),
        ("-m -- -d -w list.dnswl.org", [WHITE._replace(subject=Subject.RDNS)]),
        (
            "-- -e 127.0.0.2 zen.spamhaus.org -d dbl.spamhaus.org",
            [ZEN._replace(masks=(mask("127.0.0.2"),)), DBL._replace(subject=Subject.RDNS)],
        ),
        # What the C filter does not know.
        ("-wd list.dnswl.org", [WHITE._replace(subject=Subject.RDNS)]),
        ("zen.spamhaus.org -m", [ZEN]),
        ("-s dbl.spamhaus.org", [DBL._replace(subject=Subject.SENDER)]),
        ("--sender dbl.spamhaus.org", [DBL._replace(subject=Subject.SENDER)]),
        ("--helo dbl.spamhaus.org", [DBL._replace(subject=Subject.HELO)]),
        ("--rdns dbl.spamhaus.org", [DBL._replace(subject=Subject.RDNS)]),
        ("--allow --list list.dnswl.org", [WHITE]),
        ("--allow --list=list.dnswl.org zen.spamhaus.org", [WHITE, ZEN]),
        (
            "-e127.0.0.2 -de 127.0.0.[4-7] --expect=127.0.0.9 dbl.spamhaus.org",
            [
                DBL._replace(
                    subject=Subject.RDNS,
                    masks=(mask("127.0.0.2"), mask("127.0.0.[4-7]"), mask("127.0.0.9")),
                )
            ],
        ),
        (
            "--score 3 zen.spamhaus.org --score -2 --text Listed dbl.spamhaus.org",
            [ZEN._replace(score=3), DBL._replace(score=-2, text="Listed")],
        ),
        (
            "--score 0 zen.spamhaus.org --deadline 9 dbl.spamhaus.org --junk-at 3",
            [ZEN._replace(score=0), DBL],
        ),
    ],
)
def test_flags_are_those_of_the_list_behind_them(line: str, lists: list[List]) -> None:
    flags = parser().parse_args(options.in_order(parser(), line.split()))
    assert options.lists(flags) == lists


def test_the_value_of_an_option_is_no_list() -> None:
    words = ["-me", "127.0.0.2", "--text", "no list", "zen.spamhaus.org", "--", "--score=1", "x.y"]
    assert options.in_order(parser(), words) == [
        "-me",
        "127.0.0.2",
        "--text",
        "no list",
        "--list=zen.spamhaus.org",
        "--score=1",
        "--list=x.y",
    ]


def test_two_command_lines_do_not_share_their_lists() -> None:
    once = parser()
    for _ in range(2):
        flags = once.parse_args(options.in_order(once, ["-e", "127.0.0.2", "zen.spamhaus.org"]))
        assert options.lists(flags) == [ZEN._replace(masks=(mask("127.0.0.2"),))]


# --- thresholds -----------------------------------------------------------------------------------

NEVER = float("inf")


@pytest.mark.parametrize(
    ("flags", "thresholds"),
    [
        ("", (NEVER, 1)),
        ("-m", (1, NEVER)),
        ("--junk-at 3", (3, NEVER)),
        ("-m --junk-at 3", (3, NEVER)),
        ("--reject-at 4", (NEVER, 4)),
        ("-m --reject-at 4", (1, 4)),
        ("--junk-at 2 --reject-at 4", (2, 4)),
    ],
)
def test_thresholds(flags: str, thresholds: tuple[float, float]) -> None:
    made = make(f"{flags} zen.spamhaus.org")
    assert (made.junk_at, made.refuse_at) == thresholds


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no list to ask; name one: zen.spamhaus.org"),
        ("-mv --", "no list to ask; name one: zen.spamhaus.org"),
        (
            "zen.spamhaus.org -w",
            "flags without a list behind them; flags of a list stand in front of it",
        ),
        (
            "zen.spamhaus.org -e 127.0.0.2",
            "flags without a list behind them; flags of a list stand in front of it",
        ),
        (
            "--junk-at 3 --reject-at 3 zen.spamhaus.org",
            "junk from 3 on, refused from 3 on; mail that is refused cannot be junk",
        ),
    ],
)
def test_configuration_that_cannot_be_used(line: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(line)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{txt", "expected '}' before end of string"),
        ("{name}", "has a field {name}"),
        ("550", None),
        ("250 ok", None),
        ("Gr\u00fc\u00dfe", "is not printable ASCII"),
    ],
)
def test_texts_are_checked_at_start(text: str, message: str | None) -> None:
    flags = parser().parse_args(["--text", text, "--list", "zen.spamhaus.org"])
    if message is None:
        Dnsbl(flags)
        return
    with pytest.raises(ConfigError, match=message):
        Dnsbl(flags)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-q zen.spamhaus.org", "there is no option -q; --help lists all"),
        ("-e zen.spamhaus.org", "argument -e/--expect: 'zen.spamhaus.org': a mask has four parts"),
        ("zen.spamhaus.org -e", "argument -e/--expect: expected one argument"),
        (
            "-e k3y.zen.dq.spamhaus.net",
            "argument -e/--expect: 'zen.dq.spamhaus.net': a mask has four parts",
        ),
        ("--score x zen.spamhaus.org", "argument --score: 'x': no score; write a whole number"),
        ("--score 1.5 zen.spamhaus.org", "argument --score: '1.5': no score"),
        (
            "--junk-at 0 zen.spamhaus.org",
            "argument --junk-at: '0' is not above 0; write a whole number",
        ),
        ("--reject-at -1 zen.spamhaus.org", "argument --reject-at: '-1' is not above 0"),
        ("zen_spamhaus,org", "'zen_spamhaus,org' is no name of a list; letters, digits"),
        ("127.0.0.2 zen.spamhaus.org", "'127.0.0.2' is an address; name a list"),
        (
            "-d -s k3y.dbl.dq.spamhaus.net",
            "filter-dnsbl: dq.spamhaus.net for two things at once; name it once for each of -d,"
            " --helo and -s",
        ),
        (
            "-w --score 2 zen.spamhaus.org",
            "zen.spamhaus.org: -w with --score or --text; without -w, a --score below 0 speaks"
            " for a client",
        ),
    ],
)
def test_usage_errors(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make(line)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("filter-dnsbl: ")
    assert error.count("\n") == 1
    assert "k3y" not in error


# --- the program ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("-nmv zen.spamhaus.org -w list.dnswl.org", 0, f"filter-dnsbl: {CHECKED}\n"),
        ("-nm -- -w -d -e 127.0.0.2 list.dnswl.org", 0, f"filter-dnsbl: {CHECKED}\n"),
        ("-n", 1, "filter-dnsbl: no list to ask; name one: zen.spamhaus.org\n"),
        (
            "-n zen.spamhaus.org --exempt /nowhere/file",
            1,
            "filter-dnsbl: /nowhere/file: cannot read it: No such file or directory",
        ),
    ],
)
def test_the_configuration_can_be_checked(
    line: str,
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["filter-dnsbl", *line.split()])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == status
    out, err = capsys.readouterr()
    assert (out + err).startswith(said)


@pytest.mark.parametrize(
    "line",
    ["-w{}", "-m={}", "--mark={} x", "--foo={} x", "-e {} x", "-e127.0.0.2{} x", "--score {} x",
     "--nameserver {} x", "--dns-failure {} x", "--deadline {} x", "--junk-at {} x", "{}/x",
     "-d -s {}", "--list={}|"],
)  # fmt: skip
def test_keys_stand_in_no_error(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = line.format("k3y.zen.dq.spamhaus.net").split()
    monkeypatch.setattr("sys.argv", ["filter-dnsbl", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code in (1, 2)
    out, err = capsys.readouterr()
    assert "filter-dnsbl" in err
    assert "k3y" not in out + err


def test_files_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "spared"
    file.write_text("not/a/network\n", encoding="ascii")
    with pytest.raises(ConfigError, match=f"{file}:1: "):
        make(f"--exempt {file} zen.spamhaus.org")


def test_help_shows_lines_for_smtpd_conf(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    text = capsys.readouterr().out
    assert 'proc-exec "filter-dnsbl -m zen.spamhaus.org \\' in text
    assert "--expect MASK" in text


def test_little_is_imported() -> None:
    """What takes its time to load waits for the first question."""
    code = (
        "import sys; import opensmtpd_filters.dnsbl;"
        "print([name for name in ('aiodns', 'asyncio', 'email', 'msgpack', 'pycares', 'ssl')"
        " if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert shown.stdout == b"[]\n"
