"""The program ``opensmtpd-plugins``: its commands, and a line for each error."""

import sqlite3
import sys
from typing import Any

import click

from opensmtpd.errors import LocalError
from opensmtpd.options import DISTRIBUTION
from opensmtpd_cli import completion, usage
from opensmtpd_cli.commands import help as help_
from opensmtpd_cli.commands import lookup, testkey
from opensmtpd_cli.commands.accounts import command as accounts
from opensmtpd_cli.commands.authenticate import command as authenticate
from opensmtpd_cli.commands.check import command as check
from opensmtpd_cli.commands.dmarc import command as dmarc
from opensmtpd_cli.commands.dns import command as dns
from opensmtpd_cli.commands.filter import command as filter_
from opensmtpd_cli.commands.genkey import command as genkey
from opensmtpd_cli.commands.install import command as install
from opensmtpd_cli.commands.lookup import command as lookup
from opensmtpd_cli.commands.migrate import export, import_
from opensmtpd_cli.commands.replay import command as replay
from opensmtpd_cli.commands.replay import show
from opensmtpd_cli.output import fail, forget_unwritten
from opensmtpd_cli.system import denied
from opensmtpd_cli.usage import CommandGroup


class _Program(CommandGroup):
    """A group of commands that say in one line what went wrong, and exit with 1, or 2 for usage."""

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


for command in (
    import_.command,
    export.command,
    lookup.lookup,
    filter_.command,
    show.show,
    replay.command,
    authenticate.command,
    dmarc.command,
    genkey.command,
    testkey.command,
    dns.command,
    accounts.user,
    accounts.alias,
    accounts.domain,
    install.command,
    help_.command,
    completion.command,
):
    usage.quiet_everywhere(command)
    main.add_command(command)
