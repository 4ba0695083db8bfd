"""Checkers of the programs of filters and tables, with their users and files."""

from opensmtpd_cli.commands.check.programs.filters import filter_programs
from opensmtpd_cli.commands.check.programs.logins import logins
from opensmtpd_cli.commands.check.programs.tables import passwords, table_programs
from opensmtpd_cli.commands.check.programs.uses import (
    forgetful,
    judges_of_users_only,
    unfiltered_listeners,
    unused_filters,
)
from opensmtpd_cli.commands.check.server import Checker

CHECKERS: tuple[Checker, ...] = (
    filter_programs,
    table_programs,
    passwords,
    logins,
    unused_filters,
    unfiltered_listeners,
    judges_of_users_only,
    forgetful,
)
