"""Recipes of docs/cookbook.md that judge who sends mail, and pass it on."""

from collections.abc import Mapping

import dkim

from integration.support import (
    archive_examples,
    greylist_examples,
    headers_examples,
    limit_examples,
)
from integration.support.cookbook.recipe import Recipe
from integration.support.dns_scenes import listings, visit
from integration.support.manual_machine import Expected, Machine
from integration.support.milter_examples import content_by_milters
from integration.support.package_folders import make_folder
from integration.support.rspamd_stand_in import REFUSAL, SUBJECT, RspamdStandIn, spam
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.peers.nameserver import txt
from lab.shows import inbound

STRICT, MILD = f"bob@{inbound.STRICT}", f"bob@{inbound.MILD}"
SCENES = {scene.title: scene for scene in inbound.SCENES}


def know_the_authors(machine: Machine) -> inbound.Signer:
    """Publish keys and policies of the domains that authors are from; returns their key."""
    signer = inbound.new_signer()
    machine.lab.dns.records = {**machine.records, **signer.zone()}
    return signer


def as_their_domains_ask(machine: Machine) -> None:
    """Spoofed mail is refused or junk; clients without a name send junk."""
    know_the_authors(machine)
    spoofed = [visit(machine.lab, inbound.FORWARDER, 25, sender=each) for each in (STRICT, MILD)]
    assert [fate.place for fate in spoofed] == [
        "550 5.7.1 Message refused by the DMARC policy for bank.example",
        ".Junk",
    ]
    assert visit(machine.lab, CONFIRMED_PTR, 25, sender=STRICT).place == "inbox"
    assert visit(machine.lab, NO_PTR, 25).place == ".Junk"


def sealed_by_the_list(machine: Machine) -> None:
    """Mail that a list has changed and sealed comes; without a seal it does not."""
    signer = know_the_authors(machine)
    for title in (
        "forwarded, changed and sealed by a list",
        "spoofed: its domain asks to refuse it",
    ):
        scene = SCENES[title]
        assert inbound.outcome(scene, machine.lab.guide, signer) == (scene.place, scene.says)


def forwarder_is_spared(machine: Machine) -> None:
    """What comes by the forwarder is delivered; the same from elsewhere is refused."""
    know_the_authors(machine)
    clients = (inbound.FORWARDER, LYING_PTR)
    places = [visit(machine.lab, client, 25, sender=STRICT).place for client in clients]
    assert (places[0], places[1][:9]) == ("inbox", "550 5.7.1")


def results_are_ours(machine: Machine) -> None:
    """A client's results go, and a set of ARC comes."""
    forged = "Authentication-Results: example.com; dmarc=pass\r\n"
    fate = visit(machine.lab, CONFIRMED_PTR, 25, front=forged)
    assert fate.fields(b"Authentication-Results:") == []
    assert len(fate.fields(b"ARC-Authentication-Results: i=1; example.com;")) == 1
    assert len(fate.fields(b"ARC-Seal: i=1;")) == 1


def sent_on(machine: Machine) -> None:
    """Mail for bob is at the other provider, from our domain, with a chain that verifies."""
    message = mail.compose("carol@example.net", "bob@example.com", "to go on")
    with mail.connect() as client:
        assert mail.send(client, "carol@example.net", "bob@example.com", message)[0] == 250
    received = machine.lab.sink.receive()
    assert received.sender.startswith(b"<SRS0=")
    assert received.sender.partition(b">")[0].endswith(b"@example.com")
    chain, *_ = dkim.arc_verify(received.message.replace(b"\n", b"\r\n"), dnsfunc=txt)
    assert chain == b"pass"


def on_lists(machine: Machine) -> None:
    """Have clients on the lists, one of them on that of friends, too."""
    blocked, friends = "zen.spamhaus.org", "list.dnswl.org"
    machine.lab.dns.records = {
        **machine.records,
        **listings(
            (blocked, NO_PTR, "127.0.0.3"),
            (blocked, LYING_PTR, "127.0.0.3"),
            (friends, LYING_PTR, "127.0.5.1"),
        ),
    }


def listed_is_refused(machine: Machine) -> None:
    """A client on the list is refused, and not one that is on the list of friends, too."""
    clients = (NO_PTR, LYING_PTR, CONFIRMED_PTR)
    places = [visit(machine.lab, client, 25).place for client in clients]
    assert places == ["550 5.7.1 Listed at zen.spamhaus.org", "inbox", "inbox"]


def our_name_is_refused(machine: Machine) -> None:
    """No client greets as the server; users who log in may."""
    for helo in ("example.com", "mail.example.com", "localhost", "[192.168.0.1]"):
        assert visit(machine.lab, CONFIRMED_PTR, 25, helo=helo).place.startswith("550 ")
    assert "reject check=helo-ours" in machine.lab.log
    assert visit(machine.lab, CONFIRMED_PTR, 25).place == "inbox"
    assert visit(machine.lab, NO_PTR, 25).place == ".Junk"


def rspamd_judges(machine: Machine) -> None:
    """Mail is refused, junk, or renamed, as rspamd says; without rspamd it is put off."""
    fields = (b"X-Spam:", b"Subject:")
    with RspamdStandIn():
        fates = {
            action: visit(machine.lab, CONFIRMED_PTR, 25, front=spam(action))
            for action in ("reject", "add header", "rewrite subject")
        }
        assert fates["reject"].place == f"550 {REFUSAL}"
        marked, renamed = fates["add header"], fates["rewrite subject"]
        assert (marked.place, renamed.place) == (".Junk", "inbox")
        assert [marked.fields(name) for name in fields] == [[b"X-Spam: yes"], [b"Subject: told so"]]
        assert [renamed.fields(name) for name in fields] == [
            [],
            [f"Subject: {SUBJECT}".encode()],
        ]
        assert 'rspamd action="add header" score=8.20 required=15.00 ' in machine.lab.log
    assert visit(machine.lab, CONFIRMED_PTR, 25).place.startswith("451 4.7.1 ")


RECIPES: Mapping[str, Recipe] = {
    "Come from filter-admdscrub": Recipe((results_are_ours,), smtpd=("7.6",)),
    "Refuse mail that DMARC rejects": Recipe((as_their_domains_ask,)),
    "Trust a mailing list": Recipe((sealed_by_the_list,), smtpd=("7.9",)),
    "Spare a server that forwards mail": Recipe(
        (forwarder_is_spared,),
        {"pkill -HUP -u _auth -f filter-auth": Expected()},
        smtpd=("7.6",),
    ),
    "Forward mail to another provider": Recipe(
        (sent_on,), {"openssl rand ": Expected(), "chmod ": Expected()}
    ),
    "Ask DNS lists": Recipe(
        (listed_is_refused,),
        {"echo | ": Expected("Listed at zen", status=1)},
        before=on_lists,
        smtpd=("7.9",),
    ),
    "Put off mail of strangers": Recipe(
        (greylist_examples.friends_of_users_are_known,),
        {"echo | ": Expected("Greylisted", status=1)},
        before=greylist_examples.begin_anew,
    ),
    "Stop an account that sends too much": Recipe(
        (limit_examples.account_is_released,),
        {"opensmtpd-plugins release ": Expected("alice: released, ")},
        before=limit_examples.begin_anew,
        meanwhile=limit_examples.account_is_stopped,
    ),
    "Refuse or change mail by its header": Recipe(
        (headers_examples.of_others_and_users,),
        {"printf ": Expected("We buy nothing", status=1)},
    ),
    "Keep a copy of all mail": Recipe(
        (archive_examples.restored,),
        {"cd ": Expected(), "find ": Expected(), "while read ": Expected()},
        before=archive_examples.begin_anew,
        meanwhile=archive_examples.journaled,
    ),
    "Have milters look for viruses and spam": Recipe(
        (content_by_milters,), before=lambda machine: machine.run("mkdir -p /etc/clamav")
    ),
    "Have rspamd judge mail": Recipe((rspamd_judges,)),
    "Refuse clients that greet with your name": Recipe((our_name_is_refused,)),
    "Ban clients that send too much": Recipe(
        (limit_examples.thirty_messages,),
        {
            "fail2ban-client --test": Expected("OK: configuration test is successful"),
            "fail2ban-regex systemd-journal ": Expected("Failregex: 0 total"),
        },
        before=lambda machine: make_folder(machine.view, "limit"),
        smtpd=("7.6",),
    ),
}
