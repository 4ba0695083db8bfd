"""Wrong command lines, in one line without the usage; and --quiet, which stands where one likes."""

from pathlib import Path

import pytest

from unit.support.swap import Program, smtpd_conf


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["imprt"], "no such command: imprt; did you mean import?; see opensmtpd-plugins --help"),
        (["zzz"], "no such command: zzz; see opensmtpd-plugins --help"),
        (
            ["user", "ad"],
            "no such command: ad; did you mean add?; see opensmtpd-plugins user --help",
        ),
        (["import"], "Missing argument 'SOURCE'; see opensmtpd-plugins import --help"),
        (
            ["lookup", "sqlite:/x", "aliases", "bob"],
            " did you mean alias?; see opensmtpd-plugins lookup --help",
        ),
    ],
)
def test_a_wrong_use(run: Program, arguments: list[str], wanted: str) -> None:
    said = run(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("opensmtpd-plugins: ")
    assert said.err.endswith(f"{wanted}\n")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--nope"], ["import", "--forze"]])
def test_a_wrong_option(run: Program, arguments: list[str]) -> None:
    said = run(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("opensmtpd-plugins: No such option")
    assert ("--force" in said.err) is ("--forze" in arguments)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("before", [True, False])
def test_quiet_stands_before_the_command_or_behind_it(
    run: Program, mail: Path, place: Path, before: bool
) -> None:
    conf = smtpd_conf(mail, "table hosts { x }\n")
    words = ["import", str(conf), str(place / "smtpd.db")]
    assert "hosts: for nothing yet" in run(*words).err
    words.append("--force")
    said = run("--quiet", *words) if before else run(*words, "--quiet")
    assert said.status == 0
    assert "hosts: for nothing yet" not in said.err


def test_quiet_behind_a_command_of_a_group(run: Program, database: str) -> None:
    assert run("alias", "add", database, "bob", "alice", "--quiet") == (0, "", "")


def test_a_name_of_a_table_that_is_not_there(run: Program, libexec: Path) -> None:
    said = run("lookup", "aliases", "alias", "sales")
    assert (said.status, said.out) == (3, "")
    assert said.err == (
        "opensmtpd-plugins: there is no table aliases: /nowhere/smtpd.conf: cannot read it:"
        " No such file or directory; give its line of smtpd.conf,"
        " as 'table aliases sqlite:/etc/mail/aliases.conf', or the last word of it\n"
    )
