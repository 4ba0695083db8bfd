"""Recipes of docs/cookbook.md that sign mail."""

import re
import time
from collections.abc import Mapping

from integration.support.cookbook import smarthost
from integration.support.cookbook.recipe import Recipe
from integration.support.manual_machine import Expected, Machine
from lab.peers import mail
from lab.peers.verify import signatures, verifies

OPENDKIM = {
    "example.com": ("mail", "mail._domainkey.example.com"),
    "example.org": ("2025", "the-second"),
}
"""By domain, the selector, and how OpenDKIM's tables call the key."""


def signed_for(machine: Machine, *domains: str) -> None:
    """Alice's mail is signed for each of the domains, and not for another."""
    for domain in domains:
        message = machine.from_alice(f"alice@{domain}")
        assert (signatures(message), verifies(message)) == (1, True)
        assert f"d={domain};".encode() in message
    assert signatures(machine.from_alice("alice@example.net")) == 0


def several_domains(machine: Machine) -> None:
    """Mail of both domains is signed, and the log says so."""
    signed_for(machine, "example.com", "example.org")
    for domain in ("example.com", "example.org"):
        assert f"dkim-signed domain={domain} selector=mail" in machine.lab.log


def with_opendkims_keys(machine: Machine) -> None:
    """Mail is signed with the keys that are in the DNS since OpenDKIM's time."""
    signed_for(machine, *OPENDKIM)


def with_both_keys(machine: Machine) -> None:
    """Both signatures verify, as filter-auth sees it: dkimpy lacks Ed25519 here."""
    message = machine.from_alice()
    assert sorted(selectors(message)) == ["mail", "mail-ed"]
    (machine.view / "root/signed.eml").write_bytes(message)
    judged = machine.run("opensmtpd-plugins authenticate < /root/signed.eml")
    assert judged.count("dkim\tpass") == 2


def with_the_next_key(machine: Machine) -> None:
    """The new key alone signs, a moment after the filter was told to read its table."""
    end = time.monotonic() + 30
    while (found := selectors(message := machine.from_alice())) != ["mail2"]:
        assert time.monotonic() < end, found
    assert verifies(message)


def selectors(message: bytes) -> list[str]:
    """Return the selectors of the signatures of a message."""
    header = message.partition(b"\n\n")[0].replace(b"\n\t", b" ").decode()
    fields = re.findall(r"^DKIM-Signature: (.*(?:\n[ \t].*)*)", header, re.MULTILINE)
    return [re.findall(r"\bs=([^;\s]+)", field)[0] for field in fields]


def of_the_machine(machine: Machine) -> None:
    """A mail of a subdomain is signed, and so is the bounce of one that cannot be delivered."""
    message = machine.from_alice("cron@host.example.com")
    assert (b"d=example.com;" in message, verifies(message)) == (True, True)
    gone = "bob@nowhere.example"
    message = mail.compose("alice@example.com", gone, "to nobody")
    mail.sendmail(machine.view, "alice", gone, message)
    bounce = machine.lab.inbox.one().content.partition(b"\n")[2]  # it has no Return-Path
    assert b"From: Mailer Daemon <MAILER-DAEMON@example.com>" in bounce
    assert (signatures(bounce), verifies(bounce)) == (1, True)


def by_the_smarthost(machine: Machine) -> None:
    """Alice's mail to others comes to the smarthost, which has asked for a password."""
    with smarthost.serving(machine.view) as taken:
        message = mail.compose("alice@example.com", "carol@example.net", "by the smarthost")
        mail.sendmail(machine.view, "alice", "carol@example.net", message)
        assert b"Subject: by the smarthost" in taken.get(timeout=30)


def publish(machine: Machine, domain: str, selector: str, key: str) -> None:
    """Put the record of a private key of the server into the DNS."""
    public = "".join(machine.run(f"openssl rsa -in {key} -pubout").splitlines()[1:-1])
    text = [f'"v=DKIM1; k=rsa; p={public[:200]}" "{public[200:]}"']
    record = {(f"{selector}._domainkey.{domain}", "TXT"): text}
    machine.lab.dns.records = {**machine.lab.dns.records, **record}


def opendkim(machine: Machine) -> None:
    """Have tables and keys as OpenDKIM has them, and no key table."""
    folder = machine.view / "etc/opendkim"
    machine.run("rm -rf /etc/mail/dkim /etc/opendkim")
    rows, signing = ["# name  domain:selector:file"], ["# author  name"]
    for domain, (selector, name) in OPENDKIM.items():
        path = f"/etc/opendkim/keys/{domain}/{selector}.private"
        machine.run(f"mkdir -p /etc/opendkim/keys/{domain} && openssl genrsa -out {path} 2048")
        publish(machine, domain, selector, path)
        rows.append(f"{name}\t{domain}:{selector}:{path}")
        signing.append(f"*@{domain}\t{name}")
    rows.append("unused\texample.net:mail:/etc/opendkim/keys/gone.private")
    (folder / "KeyTable").write_text("\n".join([*rows, ""]))
    (folder / "SigningTable").write_text("\n".join([*signing, "*@*.example.org the-second", ""]))


def a_key_table(machine: Machine) -> None:
    """Have one key, published, in a key table."""
    no_keys(machine)
    machine.run("opensmtpd-plugins genkey --domain example.com --selector mail")
    publish(machine, "example.com", "mail", "/etc/mail/dkim/example.com.mail.key")
    (machine.view / "etc/mail/dkim/keytable").write_text("example.com mail example.com.mail.key\n")


def no_keys(machine: Machine) -> None:
    """Have no key yet."""
    machine.run("rm -rf /etc/mail/dkim")


RECIPES: Mapping[str, Recipe] = {
    "Sign for several domains": Recipe((several_domains,), before=no_keys),
    "Sign with RSA and Ed25519": Recipe(
        (with_both_keys,),
        {"opensmtpd-plugins testkey ": Expected("equal")},
        before=no_keys,
        smtpd=("7.9",),
    ),
    "Change a DKIM key": Recipe(
        (with_the_next_key,),
        {"opensmtpd-plugins testkey ": Expected("mail2._domain"), "sed -i ": Expected()},
        before=a_key_table,
        smtpd=("7.6",),  # with a pkill
    ),
    "Sign bounces, and mail of subdomains": Recipe((of_the_machine,)),
    "Send through a smarthost": Recipe(
        (by_the_smarthost,),
        {"chown ": Expected(), "chmod ": Expected()},
        before=smarthost.certify,
    ),
    "Come from OpenDKIM": Recipe(
        (with_opendkims_keys,),
        {"awk ": Expected(), "cat /etc/mail/dkim/keytable": Expected("example.com mail ")},
        before=opendkim,
    ),
}
