"""The form of all commands: errors in one line, behind the program's name; ``--quiet`` anywhere."""

from typing import TYPE_CHECKING, Any

import click

from opensmtpd.errors import did_you_mean
from opensmtpd_cli.output import fail

_HELP = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""No error: click (8.2 and later) shows the help of a group that is given no command."""


class CommandGroup(click.Group):
    """A group that suggests a command for one that was misspelt."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"no such command: {args[0]}{near}", error.ctx) from None


if TYPE_CHECKING:
    _WordChoice = click.Choice[str]
else:
    _WordChoice = click.Choice  # no generic one before click 8.2


class Choice(_WordChoice):
    """A choice of words that suggests one for another that was misspelt."""

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the word, or fail."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(error.message.rstrip(".") + did_you_mean(value, self.choices), param, ctx)


def told(error: click.UsageError) -> None:
    """Say what is wrong with a command line, and where its help is."""
    if isinstance(error, _HELP):
        error.show()
        return
    path = error.ctx.command_path if error.ctx else ""
    text = error.format_message().rstrip(".")
    fail(f"{text}; see {path} --help" if path else text, error.ctx)


def quiet_everywhere(command: click.Command) -> None:
    """Give a command, and those below it, the option ``--quiet`` of the program."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            quiet_everywhere(each)
    else:
        help = "Say nothing but results and what is wrong."
        option = click.Option(
            ["--quiet"], is_flag=True, expose_value=False, callback=_set_quiet, help=help
        )
        command.params.append(option)


def _set_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().params["quiet"] = True
