"""``opensmtpd-plugins dns``: the records that a domain should have, ready to be pasted."""

import click

from opensmtpd.dns.names import is_query_name
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError
from opensmtpd.mail.client import IPAddress
from opensmtpd.mail.dkim.a_label import to_a_labels
from opensmtpd_cli import completion, lookups, terminal
from opensmtpd_cli.commands.dns import records
from opensmtpd_cli.options import IP
from opensmtpd_cli.smtpdconf import parser
from opensmtpd_cli.system import mail_name, smtpd_binary, smtpd_conf


@click.command("dns", short_help="Print the records that a domain should have for its mail.")
@click.argument("domain", metavar="DOMAIN")
@click.option(
    "--conf",
    metavar="SMTPD-CONF",
    shell_complete=completion.complete_files,
    help="The configuration to go by, if it is not that of the installed smtpd.",
)
@click.option(
    "--address",
    "addresses",
    type=IP,
    multiple=True,
    metavar="IP",
    help="An address by which the world knows this server; give it again for more. Without it,"
    " those of this machine and of smtpd.conf.",
)
@lookups.nameserver
@lookups.deadline("Time for all questions to the DNS.")
def command(
    domain: str,
    conf: str | None,
    addresses: tuple[IPAddress, ...],
    servers: list[ServerAddress],
    within: float,
) -> None:
    """Print the records that DOMAIN should have for its mail, in the form of zone files.

    They are A, AAAA and PTR of this server, and MX, SPF, DKIM and DMARC of DOMAIN, as smtpd.conf
    tells of them: by the domains that are delivered here, the addresses of relays, and the keys of
    filter-dkimsign. Those of MTA-STS and TLS-RPT are printed where they are there. Behind each one
    stands, as a comment, what is there now. PTR records belong into another zone, that of the
    provider of the address.

    \b
      opensmtpd-plugins dns example.com
      opensmtpd-plugins dns example.com --address 192.0.2.1 --address 2001:db8::1
    """
    name = to_a_labels(domain).lower().removesuffix(".")
    if not is_query_name(name) or "." not in name:
        raise click.BadParameter(f"{domain!r} is no domain")
    configuration = parser.read(conf or smtpd_conf.usual_path())
    own, _ = mail_name.own_name(smtpd_binary.installed())
    host = records.host(configuration, addresses, own)
    if "." not in host.name or not is_query_name(host.name):
        fault = f"smtpd calls itself {host.name!r}, which is no full name of a host"
        remedy = "write the name of this host into /etc/mail/mailname (on Debian: /etc/mailname)"
        raise ConfigError(fault, remedy=remedy)
    lookup = records.records(configuration, name, host)
    groups = lookups.result(lookup, lookups.resolver(servers, within), within)
    if host.hidden is not None:
        told = f"this server is {host.hidden} here, and the world sees another address: --address"
        groups[0].append(records.WantedRecord("", told))
    for row in (row for group in groups for row in group):
        remark = terminal.shown(f"; {row.now}")
        terminal.say(f"{row.record} {remark}" if row.record else remark)
