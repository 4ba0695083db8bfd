"""The uses of a table in smtpd.conf: its services, and the shape of its rows."""

from pathlib import Path

import pytest

from opensmtpd.table import Service
from opensmtpd_cli.smtpdconf import parser, table_uses
from opensmtpd_cli.smtpdconf.table_uses import USES
from unit.support.swap import Program, smtpd_conf


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('action "a" mbox alias <t>', ["alias"]),
        ('action "a" maildir "~/M" junk virtual <t>', ["alias"]),
        ('action "a" mbox userbase <t>', ["userinfo"]),
        ('action "a" relay src <t>', ["source"]),
        ('action "a" relay helo-src <t>', ["addrname"]),
        ('action "a" relay host <t>', ["relayhost"]),
        ('action "a" relay domain <t>', ["relayhost"]),
        ('action "a" relay host smtp+tls://l@h auth <t>', ["credentials"]),
        ("listen on lo tls pki x auth <t>", ["credentials"]),
        ("listen on lo tls pki x auth-optional <t> senders <s>", ["credentials"]),
        ("listen on lo hostnames <t>", ["addrname"]),
        ("listen on lo senders <t> masquerade", ["mailaddrmap"]),
        ('match from any for domain <t> action "a"', ["domain"]),
        ("match !for domain <t> reject", ["domain"]),
        ('match from src <t> for any action "a"', ["netaddr"]),
        ("match from rdns <t> for any reject", ["domain", "netaddr"]),
        ("match helo <t> reject", ["domain"]),
        ("match tag <t> reject", ["string"]),
        ("match auth <t> reject", ["string", "mailaddr"]),
        ("match from auth <t> reject", ["string", "mailaddr"]),
        ("match mail-from <t> for rcpt-to <s> reject", ["mailaddr"]),
        ("match from mail-from <s> for rcpt-to <t> reject", ["mailaddr"]),
        ("match from src regex <t> reject", ["regex"]),
        ("match for domain regex <t> reject", ["regex"]),
        ("filter f phase connect match rdns <t> junk", ["domain"]),
        ("filter f phase connect match !src <t> junk", ["netaddr"]),
        ("filter f phase helo match helo <t> junk", ["domain"]),
        ("filter f phase data match auth <t> junk", ["string", "credentials"]),
        ("filter f phase data match mail-from <t> junk", ["mailaddr"]),
        ("filter f phase data match rcpt-to regex <t> junk", ["regex"]),
        ('m = "alias <t>"\naction "a" mbox $m', ["alias"]),
        ('m = "<t>"\naction "a" mbox alias $m', ["alias"]),
        ('action "a" mbox \\\n alias <t>', ["alias"]),
        ('action "a" mbox # alias <t>', []),
        ('action "a" mbox alias "<t>"', []),
        ("match for domain { t } reject", []),
        ("smtp limit <t>", []),
        ("match for domain <t reject", []),
    ],
)
def test_uses(tmp_path: Path, text: str, wanted: list[str]) -> None:
    uses = parser.read(str(smtpd_conf(tmp_path, text + "\n"))).uses.get("t", [])
    assert [str(service) for use in uses for service in use.services] == wanted


def test_every_use_names_services() -> None:
    assert {service for use in USES.values() for service in use.services} == set(Service) - {
        Service.AUTH
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'table t { a = b }\naction "a" mbox alias <t> userbase <t>',
            "1: table t is used for 'action alias' and for 'action userbase', whose rows differ;"
            " make a table for each",
        ),
        (
            "table t { a = b }\nmatch for domain <t> reject",
            "1: table t is a mapping; 'match domain' wants keys alone",
        ),
    ],
)
def test_uses_that_do_not_fit(run: Program, mail: Path, db: Path, text: str, message: str) -> None:
    conf = smtpd_conf(mail, text)
    said = run("import", conf, db)
    assert said.status == 1
    assert said.err.splitlines()[0] == f"{conf}:{message}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("match from rdns <t> for any reject", ["domain"]),
        ("match from rdns <t> for any reject\nmatch from src <t> reject", ["domain", "netaddr"]),
        ("match from src <t> reject", ["netaddr"]),
    ],
)
def test_by_which_services_rows_are_judged(tmp_path: Path, text: str, wanted: list[str]) -> None:
    uses = parser.read(str(smtpd_conf(tmp_path, text + "\n"))).uses["t"]
    assert [str(service) for service in table_uses.judged(uses)] == wanted
