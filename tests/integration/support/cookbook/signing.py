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


def several_domains(machine: Machine) -> None:
    """Mail of both domains is signed, each for its own; that of a third is not."""
    for domain in ("example.com", "example.org"):
        message = machine.from_alice(f"alice@{domain}")
        assert (signatures(message), verifies(message)) == (1, True)
        assert f" d={domain};".encode() in message.replace(b"\n\t", b" ")
        assert f"dkim-signed domain={domain}" in machine.lab.log
    assert signatures(machine.from_alice("alice@example.net")) == 0


def with_opendkims_keys(machine: Machine) -> None:
    """Mail is signed with the keys that are in the DNS since OpenDKIM's time."""
    for domain in OPENDKIM:
        message = machine.from_alice(f"alice@{domain}")
        assert (signatures(message), verifies(message)) == (1, True)
    assert signatures(machine.from_alice("alice@example.net")) == 0


def opendkim(machine: Machine) -> None:
    """Have tables and keys as OpenDKIM has them, and no key table."""
    folder = machine.view / "etc/opendkim"
    machine.run("rm -rf /etc/mail/dkim /etc/opendkim")
    rows, signing = ["# name  domain:selector:file"], ["# author  name"]
    for domain, (selector, name) in OPENDKIM.items():
        path = f"/etc/opendkim/keys/{domain}/{selector}.private"
        machine.run(f"mkdir -p /etc/opendkim/keys/{domain} && openssl genrsa -out {path} 2048")
        public = machine.run(f"openssl rsa -in {path} -pubout").splitlines()
        text = "v=DKIM1; h=sha256; k=rsa; p=" + "".join(public[1:-1])
        record = [f'"{text[:250]}" "{text[250:]}"']
        machine.lab.dns.records = {
            **machine.lab.dns.records, (f"{selector}._domainkey.{domain}", "TXT"): record,
        }  # fmt: skip
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
