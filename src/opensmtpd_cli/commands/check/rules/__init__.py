"""Checkers of the rules of smtpd.conf, and what they let happen."""

from opensmtpd_cli.commands.check.rules import unreachable
from opensmtpd_cli.commands.check.rules.open_relay import checker as open_relay
from opensmtpd_cli.commands.check.server import Checker

CHECKERS: tuple[Checker, ...] = (
    open_relay.check,
    unreachable.unreachable,
    unreachable.asking_for_tls,
    unreachable.unused,
)
