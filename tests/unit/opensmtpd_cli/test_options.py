"""Options that several commands have: a time to wait, and the newest smtpd."""

import click
import pytest
from click.testing import CliRunner

from opensmtpd.testing.model.registry import RELEASES
from opensmtpd_cli import options
from opensmtpd_cli.options import NEWEST, Seconds, usual_version


@click.command()
@click.option("--timeout", type=Seconds(), default=10.0)
def wait(timeout: float) -> None:
    click.echo(repr(timeout))


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("1", "1.0"), ("0.001", "0.001"), ("3600", "3600.0"), ("1e3", "1000.0"), (" 2 ", "2.0")],
)
def test_a_time(typed: str, wanted: str) -> None:
    result = CliRunner().invoke(wait, ["--timeout", typed])
    assert (result.exit_code, result.output) == (0, f"{wanted}\n")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("0", "0.0 is not in the range 0<x<=3600."),
        ("-1", "-1.0 is not in the range 0<x<=3600."),
        ("3600.1", "3600.1 is not in the range 0<x<=3600."),
        ("inf", "inf is not in the range 0<x<=3600."),
        ("nan", "'nan' is no time"),
        ("-nan", "'-nan' is no time"),
        ("soon", "'soon' is not a valid float range."),
        ("", "'' is not a valid float range."),
    ],
)
def test_no_time(typed: str, reason: str) -> None:
    result = CliRunner().invoke(wait, ["--timeout", typed])
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == f"Error: Invalid value for '--timeout': {reason}"


def test_the_installed_smtpd_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usual_version() == "7.9.0"
    monkeypatch.setattr(options, "installed_version", lambda: (7, 6, 0))
    assert usual_version() == "7.6.0"


def test_the_newest_smtpd_is_one_that_filters_can_be_tried_with() -> None:
    assert NEWEST == "7.9.0"
    assert [*RELEASES][-1] == NEWEST
