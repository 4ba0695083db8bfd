"""smtpd.conf as ``smtpd -n`` judges it, and as our parser reads it: the same lines are known."""

from pathlib import Path

import pytest

from lab.root import inside
from lab.root.namespace import SERVER4
from lab.support import ALONE, need_stage
from opensmtpd_cli.smtpdconf import parser

pytestmark = ALONE

BASE = """\
pki example.com cert "/etc/ssl/example.com.crt"
pki example.com key "/etc/ssl/private/example.com.key"
table list { a, b }
table map { a = b }
table users { a = "1:1:/home/a" }
srs key "secret"
mda wrapper w "%{mda}"
filter f phase connect match !rdns junk
filter g phase connect match !fcrdns junk
action a mbox
match for any action a
"""
TLS = f"listen on {SERVER4} tls pki example.com"
KNOWN = [
    "admd mx.example",
    "bounce warn-interval 1h, 6h",
    'ca "*" cert "/etc/ssl/example.com.crt"',
    "pki example.com dhe auto",
    "mda limit max-session 5",
    "mta max-deferred 5",
    "mta limit inet4 max-conn-per-host 5",
    "mta limit for domain x.example inet6 max-conn-per-host 5",
    "queue compression",
    "queue ttl 4d",
    "scheduler limit max-inflight 5",
    "smtp limit max-rcpt 100 max-mails 7",
    "smtp max-message-size 35M",
    "smtp max-message-size 1000",
    'smtp ciphers "HIGH"',
    'smtp sub-addr-delim "-"',
    'srs key backup "old"',
    "srs ttl 4d",
    'proc p "/bin/cat -u" user root group root chroot "/"\nfilter h proc p',
    'filter h proc-exec "/bin/cat" group root user root',
    "filter h chain { f, g }",
    "filter h chain {\n f,\n g\n}",
    "filter h phase connect match src { 192.0.2.1, 192.0.2.2 } bypass",
    'filter h phase helo match ! rdns <list> disconnect "421 x"',
    'filter h phase ehlo match helo regex <list> reject "550 x"',
    'filter h phase auth match !auth reject "550 x"',
    'filter h phase mail-from match auth <list> rewrite "<a@b>"',
    'filter h phase rcpt-to match rcpt-to regex "x" report "x"',
    'filter h phase data match mail-from "@x.example" junk',
    'filter h phase commit match rdns regex "x" reject "550 x"',
    "listen on socket filter f mask-src no-dsn tag T",
    "listen on socket filter { f g }",
    f"listen on {SERVER4} inet4 port 26 tag T hostname h no-dsn proxy-v2",
    f"listen on {SERVER4} port smtps smtps pki example.com",
    f"listen on {SERVER4} port submission tls-require pki example.com auth",
    f"{TLS} auth-optional <map> received-auth mask-src",
    f"{TLS} auth {{ a = b }} hostnames <map> senders <map> masquerade",
    f"listen on {SERVER4} port 26 tls-require verify pki example.com",
    f"listen on {SERVER4} smtps verify pki example.com filter f",
    f'{TLS} ciphers "HIGH" protocols "TLSv1.2"',
    "action x maildir",
    "action x maildir junk alias <map> userbase <users>",
    'action x maildir "~/M" junk virtual <map> user root wrapper w ttl 1h',
    'action x lmtp "/run/lmtp" rcpt-to alias { a = b }',
    "action x lmtp localhost:24",
    'action x mda "/bin/cat" user root',
    "action x forward-only alias <map>",
    "action x expand-only virtual <map> ttl 1h",
    "action x relay",
    'action x relay host "smtp+tls://l@h.example" auth <map> srs ttl 1h',
    "action x relay domain <map> tls no-verify helo h",
    "action x relay src <list> helo-src <map> tls pki example.com filter f",
    'action x relay src 192.0.2.1 mail-from "@x.example" filter { f, g }',
    "action x relay backup",
    "action x relay backup mx mx.example tls",
    "match action a",
    "match reject",
    "match !from local for local action a",
    "match from socket for any reject",
    "match from src { 192.0.2.0/24 } for any action a",
    "match from src regex <list> for any reject",
    "match ! from rdns for any reject",
    "match from rdns <list> for any reject",
    "match from rdns regex <list> reject",
    "match from auth for any action a",
    "match from auth <list> for any action a",
    "match from auth regex <list> reject",
    'match from mail-from "@x.example" for any reject',
    "match from mail-from regex <list> reject",
    'match for domain { "x.example", y.example } action a',
    "match !for domain regex <list> reject",
    "match for rcpt-to <list> action a",
    "match for rcpt-to regex <list> reject",
    "match tls auth helo h tag T mail-from x rcpt-to y for any action a",
    "match !tls !auth <list> !helo regex <list> ! tag regex <list> action a",
    "match mail-from regex <list> rcpt-to regex <list> auth regex <list> reject",
]
UNKNOWN = [
    "accept from any for any relay",
    "listen",
    f"listen {SERVER4}",
    f"listen on {SERVER4} secure",
    "limit mta max-conn-per-host 5",
    'pki x certificate "/c"',
    "queue encryption key x",
    "smtp shiny 5",
    "action x",
    "action x pop3",
    "action x mbox junk",
    "action x relay alias <map>",
    "action x relay verify",
    "match from any for any",
    "match from moon action a",
    "match for any action",
    "match for src 192.0.2.1 reject",
    "match action a tls",
    "filter h",
    "filter h phase moon match !rdns junk",
    "filter h phase connect !rdns junk",
    "filter h phase connect match tls junk",
    "filter h phase connect match !rdns reject",
    'filter h proc-exec "x" nice 5',
    "proc p",
]


@pytest.fixture(scope="module")
def view(request: pytest.FixtureRequest) -> Path:
    version: str = request.param
    return need_stage(version).guide(f"{version}-grammar").view


def judged(view: Path, lines: str) -> tuple[str, int]:
    """Return what smtpd says of lines, and the number of those that our parser does not know."""
    conf = view / "tmp/grammar.conf"
    conf.write_text(BASE + lines + "\n")
    said = inside.tried(view, "smtpd", "-n", "-f", "/tmp/grammar.conf").stderr.decode()
    return said, len(parser.read(str(conf)).rest)


@pytest.mark.parametrize("view", ["7.6", "7.9"], indirect=True)
def test_lines_that_smtpd_takes_are_known(view: Path) -> None:
    assert judged(view, "") == ("configuration OK\n", 0)
    found = {lines: judged(view, lines) for lines in KNOWN}
    assert found == dict.fromkeys(KNOWN, ("configuration OK\n", 0))


@pytest.mark.parametrize("view", ["7.6", "7.9"], indirect=True)
def test_lines_that_smtpd_does_not_take_are_kept_as_words(view: Path) -> None:
    found = {lines: judged(view, lines) for lines in UNKNOWN}
    assert {lines: (": syntax error\n" in said, left) for lines, (said, left) in found.items()} == (
        dict.fromkeys(UNKNOWN, (True, 1))
    )
