"""The program ``opensmtpd-plugins``: its commands, and how they end."""

import sqlite3
import sys
from typing import Any

import click

from opensmtpd.errors import LocalError
from opensmtpd.operator import (
    asking,
    completion,
    exporting,
    filtering,
    genkey,
    importing,
    linking,
    people,
)
from opensmtpd.operator.output import complain, forget_unwritten
from opensmtpd.options import DISTRIBUTION


class _Program(click.Group):
    """A group of commands that say in one line what went wrong, and exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # what cannot be written should be known before the end
        except BrokenPipeError:  # the reader has enough: click ends quietly
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            place = f"{error.filename}: " if error.filename else ""
            complain(f"{ctx.info_name}: {place}{reason}")
            ctx.exit(1)
        except (LocalError, sqlite3.Error) as error:
            complain(f"{ctx.info_name}: {error}")
            ctx.exit(1)
        finally:
            forget_unwritten()
        return result


@click.group(cls=_Program)
@click.option("--quiet", is_flag=True, help="Say nothing but results and what is wrong.")
@click.version_option(package_name=DISTRIBUTION, message="%(prog)s %(version)s")
def main(quiet: bool) -> None:
    """Make keys, move smtpd's tables to SQLite, edit them, ask tables and try filters."""


for command in (
    importing.command,
    exporting.command,
    asking.lookup,
    asking.check,
    filtering.command,
    genkey.command,
    people.user,
    people.alias,
    people.domain,
    linking.command,
    completion.command,
):
    main.add_command(command)
