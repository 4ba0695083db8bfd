"""examples/table_command.py: the status of the command is the answer, its output the value."""

from pathlib import Path

import pytest

from opensmtpd import options
from opensmtpd.errors import ConfigError
from opensmtpd.testing import ask
from table_command import Command

SCRIPT = """#!/bin/sh
case "$1 $2" in
    "domain example.com" | "domain *.example.org") echo yes ;;
    "alias sales") echo alice, bob ;;
    "alias empty") ;;
    "alias broken") exit 7 ;;
    *) exit 1 ;;
esac
"""


def table(path: Path) -> Command:
    return Command(options.table_parser("table-command", "").parse_args([str(path)]))


@pytest.fixture
def command(tmp_path: Path) -> Command:
    script = tmp_path / "rows"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    return table(script)


def test_the_command_answers(command: Command) -> None:
    assert ask(command, "lookup", "alias", "Sales") == ("found", "alice, bob")
    assert ask(command, "lookup", "alias", "nobody").result == "not-found"
    assert ask(command, "check", "domain", "example.com").result == "found"
    assert ask(command, "check", "domain", "example.net").result == "not-found"


def test_wildcards_are_asked_for(command: Command) -> None:
    assert ask(command, "check", "domain", "www.example.org").result == "found"


@pytest.mark.parametrize("key", ["broken", "empty"])
def test_another_status_is_an_error_and_so_is_an_empty_value(command: Command, key: str) -> None:
    assert ask(command, "lookup", "alias", key).result == "error"


def test_nothing_in_a_key_is_for_a_shell(command: Command, tmp_path: Path) -> None:
    key = f"$(touch {tmp_path}/made);`id`"
    assert ask(command, "lookup", "alias", key).result == "not-found"
    assert not (tmp_path / "made").exists()


def test_without_the_command_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no program that can be run"):
        table(tmp_path / "missing")
