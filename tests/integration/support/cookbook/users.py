"""Recipes of docs/cookbook.md about addresses, users and their passwords."""

from collections.abc import Mapping

from integration.support import dovecot
from integration.support.cookbook.recipe import Recipe
from integration.support.manual_machine import Expected, Machine
from lab.peers import mail
from lab.peers.maildir import Maildir
from lab.shows.guide import PASSWORD

STRANGER = "carol@example.net"
PERMISSIONS = {"chown ": Expected(), "chmod ": Expected()}


def reply(machine: Machine, recipient: str) -> int:
    """Send a mail from outside; returns the code of the last reply."""
    with mail.connect() as client:
        message = mail.compose(STRANGER, recipient, f"to {recipient}")
        return mail.send(client, STRANGER, recipient, message)[0]


def came(machine: Machine, recipient: str, *users: str) -> None:
    """Send a mail from outside, which each of the users gets."""
    assert reply(machine, recipient) == 250
    assert [machine.folder(user) for user in users] == ["inbox"] * len(users)


def virtual_users(machine: Machine) -> None:
    """Carol logs in by her address, and has mail in a folder of vmail."""
    carol = "carol@example.org"
    with mail.connect(port=587) as client:
        client.starttls(context=mail.trusting(machine.lab.guide))
        client.login(carol, PASSWORD)
        assert mail.send(client, carol, carol, mail.compose(carol, carol, "hello"))[0] == 250
    assert Maildir(machine.view / "var/vmail/example.org/carol").one().folder == "inbox"
    assert [reply(machine, each) for each in ("carol@example.com", STRANGER)] == [524, 550]


def in_several_domains(machine: Machine) -> None:
    """Each domain has an info of its own, and all have a postmaster."""
    came(machine, "info@example.com", "alice")
    came(machine, "info@example.org", "bob")
    came(machine, "postmaster@example.org", "alice", "bob")
    assert reply(machine, "alice@example.org") == 524


def all_caught(machine: Machine) -> None:
    """Mail for a name that nobody knows goes to alice."""
    came(machine, "sales@example.com", "bob")
    came(machine, "anybody@example.com", "alice")


def tagged(machine: Machine) -> None:
    """Mail for a tag is in its folder, if there is one."""
    assert reply(machine, "alice+shop@example.com") == 250
    shop = machine.lab.guide.home("alice") / "Maildir/.shop"
    assert b"Subject: to alice+shop" in Maildir(shop).one().message
    came(machine, "alice+other@example.com", "alice")
    came(machine, "sales+shop@example.com", "alice")


def own_addresses(machine: Machine) -> None:
    """Alice sends as sales, but not as bob."""
    with mail.submission(machine.lab.guide) as client:
        assert client.mail("bob@example.com") == (530, b"Sender rejected")
        client.rset()
        message = mail.compose("sales@example.com", "alice@example.com", "of ours")
        assert mail.send(client, "sales@example.com", "alice@example.com", message)[0] == 250
    assert machine.folder() == "inbox"


def one_password(machine: Machine) -> None:
    """Carol, who is no user of the system, logs in at both."""
    assert mail.submission(machine.lab.guide, "carol").quit()[0] == 221
    with dovecot.serving(machine.view):
        machine.run(f"doveadm auth test carol {PASSWORD}", Expected("auth succeeded"))


def no_vmail(machine: Machine) -> None:
    """Have no user and no folder of another recipe."""
    machine.run("rm -rf /var/vmail; ! id vmail || userdel vmail")


RECIPES: Mapping[str, Recipe] = {
    "Keep virtual users of several domains in SQLite": Recipe(
        (virtual_users,),
        {"useradd ": Expected(), "opensmtpd-plugins lookup ": Expected("vmail")},
        before=no_vmail,
    ),
    "Have aliases in several domains": Recipe(
        (in_several_domains,),
        {"smtpctl update ": Expected(), "opensmtpd-plugins lookup ": Expected("alice, bob")},
    ),
    "Catch all mail of a domain": Recipe((all_caught,)),
    "Use plus addresses": Recipe(
        (tagged,), {"runuser ": Expected(), "opensmtpd-plugins lookup ": Expected("alice")}
    ),
    "Let users send from their own addresses only": Recipe((own_addresses,)),
    "Share passwords with Dovecot": Recipe((one_password,), PERMISSIONS, smtpd=("7.6",)),
}
