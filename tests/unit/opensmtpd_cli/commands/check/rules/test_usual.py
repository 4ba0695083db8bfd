"""Configurations as they are in the world: no checker of rules has anything to say of them."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules import CHECKERS, queue
from unit.support.checked import server
from unit.support.swap import guide, smtpd_conf

PKI = (
    'pki mx.example.org cert "/etc/ssl/mx.crt"\npki mx.example.org key "/etc/ssl/private/mx.key"\n'
)

USUAL = {
    "as OpenBSD ships it": """
        table aliases file:ALIASES
        listen on socket
        listen on lo0
        action "local_mail" mbox alias <aliases>
        action "outbound" relay
        match from local for local action "local_mail"
        match from local for any action "outbound"
    """,
    "as Debian ships it": """
        table aliases file:ALIASES
        listen on localhost
        action "local" maildir alias <aliases>
        action "relay" relay
        match for local action "local"
        match from local for any action "relay"
    """,
    "a mail server for users of the system": f"""
        {PKI}
        table aliases file:ALIASES
        filter "rspamd" proc-exec "filter-rspamd"
        listen on all tls pki mx.example.org filter "rspamd"
        listen on all port submission tls-require pki mx.example.org auth filter "rspamd"
        listen on all smtps pki mx.example.org auth mask-src filter "rspamd"
        action "mbox" maildir junk alias <aliases>
        action "send" relay helo mx.example.org
        match from any for domain "example.org" action "mbox"
        match for local action "mbox"
        match from any auth for any action "send"
        match for any action "send"
    """,
    "virtual users by LMTP": f"""
        {PKI}
        table people sqlite:/etc/mail/people.conf
        table virtuals {{ "@" = "root" }}
        listen on 203.0.113.4 tls pki mx.example.org auth-optional <people>
        listen on 203.0.113.4 port 587 tls-require pki mx.example.org auth <people> senders <people>
        action "dovecot" lmtp "/run/dovecot/lmtp" rcpt-to virtual <virtuals>
        action "out" relay src {{ 203.0.113.4, 203.0.113.5 }}
        match from any for domain <people> action "dovecot"
        match auth from any for any action "out"
    """,
    "a satellite of another server": """
        table aliases file:ALIASES
        listen on lo0
        action "in" mbox alias <aliases>
        action "out" relay host smtp+tls://mail.example.org:587 mail-from "@example.org"
        match for local action "in"
        match for any action "out"
    """,
    "a signer at the port of the loopback": f"""
        {PKI}
        table aliases file:ALIASES
        listen on lo0 port 10028 tag SIGNED
        listen on egress tls pki mx.example.org
        listen on egress port 587 tls pki mx.example.org auth
        action "in" maildir "~/.mail" alias <aliases>
        action "out" relay
        action "sign" relay host smtp://127.0.0.1:10027
        match from any for domain example.org action "in"
        match for local action "in"
        match tag SIGNED for any action "out"
        match auth from any for any action "sign"
    """,
    "forged senders are refused, and a backup server": """
        table aliases file:ALIASES
        table relays { 203.0.113.7, 203.0.113.8 }
        table second { example.net }
        listen on egress
        action "in" mbox alias <aliases>
        action "backup" relay backup mx "mx2.example.net"
        action "out" relay
        match for local action "in"
        match for any action "out"
        match !from src <relays> mail-from "@example.org" for any reject
        match from any for domain example.org action "in"
        match from any for domain <second> action "backup"
        match from src <relays> for any action "out"
    """,
}


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(queue, "SPOOL", tmp_path / "nowhere")


@pytest.mark.parametrize("name", USUAL)
def test_nothing_is_said(tmp_path: Path, name: str) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("postmaster: root\nabuse: postmaster\nroot: somebody@elsewhere.example\n")
    here = server(smtpd_conf(tmp_path, USUAL[name].replace("ALIASES", str(aliases))))
    assert here.configuration.rest == []
    found = [each for checker in CHECKERS for each in checker(here._replace(root=True))]
    assert found == []


def test_nothing_is_said_of_the_guide(tmp_path: Path) -> None:
    here = server(guide(tmp_path))._replace(root=True)
    # Its users are none of this machine.
    found = [each for checker in CHECKERS for each in checker(here)]
    assert {each.code for each in found} <= {"alias-target-missing"}
