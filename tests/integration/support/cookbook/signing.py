"""Recipes of docs/cookbook.md that sign mail."""

from collections.abc import Mapping

from integration.support.cookbook.recipe import Recipe
from integration.support.manual_machine import Expected, Machine
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


def no_keys(machine: Machine) -> None:
    """Have no key yet."""
    machine.run("rm -rf /etc/mail/dkim")


RECIPES: Mapping[str, Recipe] = {
    "Sign for several domains": Recipe((several_domains,), before=no_keys),
    "Come from OpenDKIM": Recipe(
        (with_opendkims_keys,),
        {"awk ": Expected(), "cat /etc/mail/dkim/keytable": Expected("example.com mail ")},
        before=opendkim,
    ),
}
