"""Checkers of the rules of smtpd.conf, and what they let happen."""

from opensmtpd_cli.commands.check.rules import (
    listeners,
    permissions,
    queue,
    smarthosts,
    unreachable,
)
from opensmtpd_cli.commands.check.rules.aliases import forwards, refused
from opensmtpd_cli.commands.check.rules.open_relay import checker as open_relay
from opensmtpd_cli.commands.check.server import Checker

CHECKERS: tuple[Checker, ...] = (
    open_relay.check,
    unreachable.unreachable,
    unreachable.asking_for_tls,
    unreachable.unused,
    listeners.submission,
    listeners.crowded,
    smarthosts.smarthosts,
    permissions.writable,
    permissions.readable,
    refused.refused,
    refused.root,
    forwards.forwards,
    queue.queue,
)
