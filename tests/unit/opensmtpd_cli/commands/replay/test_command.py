"""``replay``: a program that answers as it did, one that does not, and none."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opensmtpd.capture.format import CapturedLines, CaptureEntry, CaptureKind
from opensmtpd_cli.main import main
from unit.support import captures
from unit.support.captures import said, talk
from unit.support.recorder import script

HEAD = "0.7|1795335705.127288|smtp-in"
SHAKEN = (
    "< config|smtpd-version|7.6.0", "< config|ready", "> register|filter|smtp-in|ehlo",
    "> register|filter|smtp-in|auth", "> register|ready",
)  # fmt: skip
PROGRAM = """
log = open(sys.argv[1], "a")
for line in sys.stdin:
    log.write(line)
    if line == "config|ready\\n":
        print("register|filter|smtp-in|ehlo\\nregister|filter|smtp-in|auth")
        print("register|ready", flush=True)
    elif line.startswith("filter|"):
        phase, session, token, text = line.rstrip("\\n").split("|", 7)[4:]
        if text == "end":
            log.close()
            sys.exit(3)
        for _ in range({"silent": 0, "twice": 2}.get(text, 1)):
            print(f"filter-result|{session}|{token}|reject|550 {text.upper()}", flush=True)
"""


def ehlo(session: str, token: str, text: str) -> str:
    return f"< filter|{HEAD}|ehlo|{session}|{token}|{text}"


TALK = (
    *SHAKEN, ehlo("s", "1", "one"), ehlo("t", "2", "two"),
    "> filter-result|t|2|reject|550 TWO", "> filter-result|s|1|reject|550 ONE",
    f"< filter|{HEAD}|auth|s|3|PLAIN x", "> filter-result|s|3|proceed",
    ehlo("s", "4", "end of it"), "> filter-result|s|4|reject|550 END OF IT",
)  # fmt: skip


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    return [script(tmp_path / "filter-x", PROGRAM), str(tmp_path / "log")]


def capture(tmp_path: Path, *texts: str) -> Path:
    entries: list[CaptureEntry] = [
        entry._replace(time=1.8e9 + number / 1000)
        for number, entry in enumerate(said(CaptureKind.FILTER, talk(*texts)))
    ]
    return captures.write(tmp_path / "capture", CaptureKind.FILTER, entries)


def replay(path: Path, *words: str, options: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(main, ["replay", *options, str(path), "--", *words])


@pytest.mark.parametrize("options", [(), ("--in-time",)])
def test_equal(tmp_path: Path, program: list[str], options: tuple[str, ...]) -> None:
    result = replay(capture(tmp_path, *TALK), *program, options=options)
    assert (result.exit_code, result.stdout) == (0, "equal: 3 answers to 3 requests\n")
    assert result.stderr == ("not sent, because something was taken out: 1 requests, 0 reports\n")
    sent = [text[2:] for text in TALK if text[0] == "<" and "|auth|" not in text]
    assert (tmp_path / "log").read_text().splitlines() == sent


def test_quiet(tmp_path: Path, program: list[str]) -> None:
    result = replay(capture(tmp_path, *TALK), *program, options=("--quiet",))
    assert (result.exit_code, result.output) == (0, "")


def test_the_first_difference(tmp_path: Path, program: list[str]) -> None:
    texts = [text.replace("550 ONE", "550 1\x1b") for text in TALK]
    result = replay(capture(tmp_path, *texts), *program)
    stdout = result.stdout
    assert (result.exit_code, stdout) == (
        1,
        stdout.splitlines(True)[0] + "recorded: filter-result|s|1|reject|550 1\\x1b\n"
        "now:      filter-result|s|1|reject|550 ONE\n",
    )


def test_an_answer_that_does_not_come(tmp_path: Path, program: list[str]) -> None:
    texts = (*SHAKEN, ehlo("s", "1", "silent"), "> filter-result|s|1|proceed")
    result = replay(capture(tmp_path, *texts), *program, options=("--timeout", "0.2"))
    assert (result.exit_code, result.stdout) == (
        1,
        "different, after 0 equal answers\n"
        "recorded: filter-result|s|1|proceed\n"
        "now:      nothing\n",
    )


def test_an_answer_that_was_not_recorded(tmp_path: Path, program: list[str]) -> None:
    texts = (*SHAKEN, ehlo("s", "1", "twice"), "> filter-result|s|1|reject|550 TWICE")
    result = replay(capture(tmp_path, *texts), *program)
    assert (result.exit_code, result.stdout.splitlines()[1:]) == (
        1, ["recorded: nothing", "now:      filter-result|s|1|reject|550 TWICE"],
    )  # fmt: skip


def test_a_request_that_was_under_way_at_the_end(tmp_path: Path, program: list[str]) -> None:
    result = replay(capture(tmp_path, *TALK, ehlo("s", "9", "x")), *program)
    assert (result.exit_code, result.stdout) == (0, "equal: 3 answers to 4 requests\n")


def test_a_program_that_ends(tmp_path: Path, program: list[str]) -> None:
    texts = (*TALK, ehlo("s", "9", "end"), "> filter-result|s|9|proceed")
    result = replay(capture(tmp_path, *texts), *program)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1] == (
        "the program ended: status 3; up to there, 3 answers to 4 requests are equal"
    )


def test_a_damaged_capture(tmp_path: Path, program: list[str]) -> None:
    path = capture(tmp_path, *TALK)
    path.write_bytes(path.read_bytes()[:-3])
    result = replay(path, *program)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].endswith(
        "its last record is cut off; what follows is not read; up to there,"
        " 2 answers to 3 requests are equal"
    )


def test_a_capture_that_is_damaged_at_once(tmp_path: Path, program: list[str]) -> None:
    path = captures.write(tmp_path / "capture", CaptureKind.FILTER, [])
    path.write_bytes(path.read_bytes() + b"\xc1")
    result = replay(path, *program)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"{path}: a record that is none; what follows is not read;")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    result = replay(capture(tmp_path, *TALK), "filter-none")
    assert result.exit_code == 3
    assert result.stderr.startswith("main: there is no program filter-none; smtpd wants it")


def test_a_line_of_smtpd_conf(tmp_path: Path, program: list[str]) -> None:
    line = f'filter "x" proc-exec "{program[0]} {program[1]}"'
    result = replay(capture(tmp_path, *TALK), line)
    assert result.exit_code == 0


def test_the_recorder_in_front_of_a_filter_is_left_out(tmp_path: Path, program: list[str]) -> None:
    command = f"/libexec/filter-record --files 2 {tmp_path}/new -- {program[0]} {program[1]}"
    result = replay(capture(tmp_path, *TALK), f'filter "x" proc-exec "{command}"')
    assert result.exit_code == 0
    assert not (tmp_path / "new").exists()


def test_a_recorder_is_no_table(tmp_path: Path) -> None:
    path = captures.write(tmp_path / "capture", CaptureKind.TABLE, [])
    result = replay(path, "record:/etc/mail/record.conf")
    assert result.exit_code == 3
    assert result.stderr == "main: this is the recorder; give the table that it records\n"


def test_a_table(tmp_path: Path) -> None:
    """table-flat on the same rows answers the same, and another on others."""
    rows = tmp_path / "rows"
    rows.write_text("alice: bob\n")
    head = "table|0.1|1795335705.127288|users"
    texts = (
        "< config|smtpd-version|7.6.0", "< config|protocol|0.1", "< config|tablename|users",
        "< config|ready", "> register|alias", "> register|ready",
        f"< {head}|lookup|alias|0a|alice", "> lookup-result|0a|found|bob",
    )  # fmt: skip
    entries: list[CapturedLines] = said(CaptureKind.TABLE, talk(*texts))
    path = captures.write(tmp_path / "capture", CaptureKind.TABLE, entries)
    tmp_path.chmod(0o755)
    result = replay(path, f"flat:{rows}")
    assert (result.exit_code, result.stdout) == (0, "equal: 1 answers to 1 requests\n")
    rows.write_text("alice: carol\n")
    result = replay(path, "table", "users", f"flat:{rows}")
    assert result.exit_code == 1
    assert "now:      lookup-result|0a|found|carol\n" in result.stdout
