"""``opensmtpd-plugins testkey``: does the DNS have the keys that mail is signed with?"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from opensmtpd.dns import gather
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError
from opensmtpd_cli import completion, lookups, terminal
from opensmtpd_cli.dnsrecords import signing_keys
from opensmtpd_cli.dnsrecords.signing_keys import SigningKey
from opensmtpd_cli.smtpdconf import filter_line

if TYPE_CHECKING:
    from opensmtpd_cli.dnsrecords.published_key import KeyVerdict

UNKNOWN = 3
"""The exit status where the DNS did not tell, and nothing else is wrong."""


@click.command("testkey", short_help="Compare keys for DKIM with their records in the DNS.")
@click.argument(
    "keys", metavar="KEY | KEYTABLE | FILTER-LINE", shell_complete=completion.complete_files
)
@click.option(
    "--domain",
    "domains",
    multiple=True,
    metavar="DOMAIN",
    help="A domain that the file KEY signs for; may be given several times.",
)
@click.option("--selector", metavar="NAME", help="KEY is published as NAME._domainkey.DOMAIN.")
@lookups.nameserver
@lookups.deadline("Time for all questions to the DNS.")
@click.pass_context
def command(
    ctx: click.Context,
    keys: str,
    domains: tuple[str, ...],
    selector: str | None,
    servers: list[ServerAddress],
    within: float,
) -> None:
    """Ask the DNS for the records of keys for DKIM, and say whether the keys are equal to them.

    The keys are a file in PEM, for the --domain and --selector that are given with it; or those of
    a key table of filter-dkimsign; or those that a filter's line of smtpd.conf names. There is a
    line for each key, with what is to be done where the record is missing, is that of another key,
    or cannot be used.

    \b
      opensmtpd-plugins testkey /etc/mail/dkim/private.key --domain example.com --selector mail
      opensmtpd-plugins testkey /etc/mail/dkim/keytable
      opensmtpd-plugins testkey "$(grep 'filter "dkimsign"' /etc/mail/smtpd.conf)"

    The exit status is 0 where all keys are published, 1 where one is not, and 3 where the DNS did
    not tell.
    """
    found = _keys(keys, list(domains), selector)
    try:
        from opensmtpd_cli.dnsrecords.published_key import published_key  # noqa: PLC0415  what it needs may not be installed
    except ImportError as error:
        remedy = "pip install 'opensmtpd-plugins[dkim]'"
        raise ConfigError(f"keys need cryptography: {error}", remedy=remedy) from None
    asked = [
        published_key(each.domain, each.selector, each.key)
        for each in found
        if not isinstance(each.key, ConfigError)
    ]
    dns = lookups.resolver(servers, within)
    verdicts = iter(lookups.result(gather(asked), dns, within))
    statuses = {_tell(each, verdicts) for each in found}
    ctx.exit(1 if 1 in statuses else max(statuses))


def _keys(text: str, domains: list[str], selector: str | None) -> list[SigningKey]:
    if domains or selector:
        if not (domains and selector):
            raise click.UsageError("a key goes with both --domain and --selector")
        return signing_keys.of_file(_full(text), domains, selector)
    if text.split()[1:]:
        flags = signing_keys.flags_of(filter_line.parse(text))
        if flags is None:
            raise ConfigError("no line of filter-dkimsign")
        return signing_keys.of_flags(flags)
    try:
        return signing_keys.of_table(_full(text))
    except ConfigError as error:
        if error.message.startswith("a key in PEM"):
            raise click.UsageError("a key goes with --domain and --selector") from None
        raise


def _full(path: str) -> str:
    return os.path.join(os.getcwd(), path)


def _tell(key: SigningKey, verdicts: Iterator["KeyVerdict"]) -> int:
    """Say what is known of one key, in a line; return its exit status."""
    if isinstance(key.key, ConfigError):
        name = f"{key.selector}._domainkey.{key.domain}".lower()
        terminal.say(terminal.shown(f"{name}: {key.key}"))
        return 1
    verdict = next(verdicts)
    if verdict.fault:
        terminal.say(terminal.shown(f"{verdict.name}: {verdict.fault}; {verdict.remedy}"))
        return UNKNOWN if verdict.state == "unknown" else 1
    doubts = [*key.key.warnings]
    if verdict.testing:
        doubts.append("the record says t=y: verifiers take the mail for unsigned")
    told = "; ".join([f"equal to {key.file}", *doubts])
    terminal.say(terminal.shown(f"{verdict.name}: {told}"))
    return 0
