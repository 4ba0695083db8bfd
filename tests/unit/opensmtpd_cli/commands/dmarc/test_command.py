"""The group ``dmarc``."""

from click.testing import CliRunner

from opensmtpd_cli.main import main


def test_its_commands() -> None:
    result = CliRunner().invoke(main, ["dmarc", "--help"])
    assert result.exit_code == 0
    assert "report" in result.output
    assert "show" in result.output


def test_a_command_that_is_misspelt() -> None:
    result = CliRunner().invoke(main, ["dmarc", "shwo"])
    assert result.exit_code == 2
    assert "did you mean show?" in result.output
