"""Tables that are asked: those that fail, those that are elsewhere, and all keys of an address."""

from pathlib import Path

import pytest
from click.testing import Result

from unit.support.small_tables import ID, LINE, end, plain, program, rows, run

pytestmark = pytest.mark.usefixtures("libexec", "patient", "same_ids")


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
    assert end(run(LINE, service, "a")) == (3, [verdict, f"smtpd: {effect}"])


def test_files_of_smtpd_are_asked_of_our_table(libexec: Path) -> None:
    rows(libexec, "alias", {"a": "b"}, name="table-flat")
    result = run("file:/etc/mail/aliases", "alias", "a")
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
    result = run(LINE, "alias", "a")
    assert plain(result.output)[:2] == [
        "# not where smtpd looks for its tables: smtpd itself would not find it",
        f"# {folder}/table-x /etc/t",
    ]


def test_no_program(libexec: Path) -> None:
    result = run("nosuch:/etc/t", "alias", "a")
    where = f"smtpd wants it in its own directory, as {libexec}"
    assert result.output == f"x: there is no program table-nosuch; {where}\n"
    assert result.exit_code == 3


def asked(result: Result) -> list[str]:
    mark = f"|lookup|alias|{ID}|"
    return [line.partition(mark)[2] for line in plain(result.output) if mark in line]


def test_all_keys_of_a_virtual_address(libexec: Path) -> None:
    rows(libexec, "alias", {})
    result = run(LINE, "virtual", "Al+Tag@Example.org", "--all")
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
    result = run(LINE, "virtual", "al@example.org", "--all")
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
    result = run(LINE, "alias", "al+tag@example.org", "--all")
    assert asked(result) == ["al+tag"]
    assert plain(result.output)[-4:] == [
        "1. al+tag: error",
        "2. al: not asked",
        "error",
        'smtpd: the recipient gets "424 4.2.4 Mailing list expansion problem"',
    ]


def test_another_delimiter(libexec: Path) -> None:
    rows(libexec, "alias", {})
    result = run(LINE, "alias", "al-tag+x", "--all", "--delimiter", "-")
    assert asked(result) == ["al-tag+x", "al"]
