"""The program ``opensmtpd-plugins``: its commands, and a line for each error."""

import sqlite3
import sys
from importlib import import_module
from typing import Any

import click

from opensmtpd.errors import LocalError
from opensmtpd.options import DISTRIBUTION
from opensmtpd_cli import completion, usage
from opensmtpd_cli.output import fail, forget_unwritten
from opensmtpd_cli.system import denied
from opensmtpd_cli.usage import CommandGroup

_COMMANDS = {
    "alias": "accounts.command:alias",
    "authenticate": "authenticate.command:command",
    "check": "check.command:command",
    "dmarc": "dmarc.command:command",
    "dns": "dns.command:command",
    "domain": "accounts.command:domain",
    "export": "migrate.export:command",
    "filter": "filter.command:command",
    "genkey": "genkey.command:command",
    "help": "help:command",
    "import": "migrate.import_:command",
    "install": "install.command:command",
    "lookup": "lookup.command:lookup",
    "release": "release:command",
    "replay": "replay.command:command",
    "show": "replay.show:show",
    "testkey": "testkey:command",
    "user": "accounts.command:user",
}
"""The module and the name of each command, which is imported when it is run: all take long."""


class _Program(CommandGroup):
    """A group of commands that say in one line what went wrong, and exit with 1, or 2 for usage."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*_COMMANDS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name, None where there is none."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            module, _, name = _COMMANDS[cmd_name].partition(":")
            command: click.Command = getattr(
                import_module(f"opensmtpd_cli.commands.{module}"), name
            )
            usage.quiet_everywhere(command)
            self.add_command(command, cmd_name)
        return super().get_command(ctx, cmd_name)

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **extra)
        except click.UsageError as error:
            usage.told(error)
            raise click.exceptions.Exit(error.exit_code) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # what cannot be written should be known before the end
        except BrokenPipeError:  # the reader has enough: click ends quietly
            raise
        except click.UsageError as error:
            usage.told(error)
            ctx.exit(error.exit_code)
        except OSError as error:
            fail(_of_the_system(error))
            ctx.exit(1)
        except (LocalError, sqlite3.Error) as error:
            fail(str(error))
            ctx.exit(1)
        finally:
            forget_unwritten()
        return result


def _of_the_system(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    remedy = denied.remedy(error)
    return f"{place}{error.strerror or error}" + (f"; {remedy}" if remedy else "")


@click.group(cls=_Program)
@click.option("--quiet", is_flag=True, help="Say nothing but results and what is wrong.")
@click.version_option(package_name=DISTRIBUTION, message="%(prog)s %(version)s")
def main(quiet: bool) -> None:
    """Check a server, make keys, move, edit and ask tables, try filters, judge mail, and report."""


usage.quiet_everywhere(completion.command)
main.add_command(completion.command)  # here, because click wants its shells at each completion
