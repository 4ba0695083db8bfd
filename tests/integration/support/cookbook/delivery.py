"""Recipes of docs/cookbook.md that judge mail from outside, and deliver it."""

from collections.abc import Mapping

from integration.support import dovecot
from integration.support.cookbook.recipe import PAGE, Recipe
from integration.support.dns_scenes import visit
from integration.support.manual_machine import Expected, Machine
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, NO_PTR
from lab.peers.maildir import Maildir
from lab.shows import inbound, markdown
from lab.shows.guide import PASSWORD

SPOOFED = f"bob@{inbound.STRICT}"


def by_lmtp(machine: Machine) -> None:
    """Dovecot files junk, and delivers the rest."""
    with dovecot.serving(machine.view):
        places = [visit(machine.lab, client, 25).place for client in (NO_PTR, CONFIRMED_PTR)]
    assert places == [".Junk", "inbox"]


def rejected_is_junk(machine: Machine) -> None:
    """A spoofed mail is in the junk folder, and an honest one is not."""
    machine.lab.dns.records = {**machine.records, **inbound.new_signer().zone()}
    clients = (inbound.FORWARDER, CONFIRMED_PTR)
    places = [visit(machine.lab, client, 25, sender=SPOOFED).place for client in clients]
    assert places == [".Junk", "inbox"]


def rejected_is_junk_by_dovecot(machine: Machine) -> None:
    """The same of all domains; a client cannot write the field that the script looks for."""
    with dovecot.serving(machine.view):
        rejected_is_junk(machine)
        lie = "Authentication-Results: example.com; dmarc=fail\r\n"
        assert visit(machine.lab, CONFIRMED_PTR, 25, front=lie).place == "inbox"


def dovecot_is_there(machine: Machine) -> None:
    """Have Dovecot as the recipe before has left it."""
    conf = next(block for block in markdown.blocks(PAGE) if block.place.endswith("/local.conf"))
    machine.put(conf.display)


def carol_has_mail(machine: Machine) -> None:
    """Carol, who is no user of the system, sends mail to herself."""
    with mail.connect(port=587) as client:
        client.starttls(context=mail.trusting(machine.lab.guide))
        client.login("carol", PASSWORD)
        message = mail.compose("carol@example.com", "carol@example.com", "to myself")
        assert mail.send(client, "carol@example.com", "carol@example.com", message)[0] == 250
    assert Maildir(machine.view / "var/vmail/carol/Maildir").one().folder == "inbox"


RECIPES: Mapping[str, Recipe] = {
    "Deliver to Dovecot by LMTP": Recipe((by_lmtp,), smtpd=("7.6",)),
    "Keep rejected mail in the junk folder": Recipe(
        (rejected_is_junk, rejected_is_junk_by_dovecot), before=dovecot_is_there, smtpd=("7.6",)
    ),
    "Keep users in SQLite": Recipe(
        (carol_has_mail,),
        {
            "useradd ": Expected(),
            "opensmtpd-plugins user add ": Expected(given=f"{PASSWORD}\n"),
            "opensmtpd-plugins user passwd ": Expected(given=f"{PASSWORD}\n"),
            "opensmtpd-plugins user list ": Expected("carol"),
        },
    ),
}
