"""What checkers get to look at."""

from pathlib import Path

from opensmtpd_cli.commands.check.server import START_WITHIN, Server
from unit.support import checked
from unit.support.swap import smtpd_conf


def test_a_program_has_five_seconds_if_nobody_says_otherwise(tmp_path: Path) -> None:
    fields = checked.server(smtpd_conf(tmp_path, "listen on lo0\n"))._asdict()
    del fields["timeout"]
    assert Server(**fields).timeout == START_WITHIN == 5.0
