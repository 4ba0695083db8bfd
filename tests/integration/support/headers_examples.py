"""Mail that follows rules of filter-headers, as pages of ours have it."""

from integration.support.dns_scenes import visit
from integration.support.manual_machine import Machine
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.shows.demo import STRANGER

TELLING = "User-Agent: Writer 1.0\r\nX-Originating-IP: 10.0.0.7\r\nX-Internal-Room: 5\r\n"
"""Fields of a user's program."""
ENCODED = "Subject: =?utf-8?q?Do_=62uy_now?=\r\n"
"""A subject whose words only those see who decode it."""


def places(machine: Machine, *messages: tuple[str, str]) -> list[str]:
    """Return where the mail of senders goes, with fields in front of it."""
    return [
        visit(machine.lab, CONFIRMED_PTR, 25, sender=sender, front=front).place
        for sender, front in messages
    ]


def no_offers(machine: Machine) -> None:
    """Offers are refused, however they are written, and mail of a domain is junk."""
    refused = "550 5.7.1 We buy nothing"
    found = places(
        machine,
        (STRANGER, "Subject: Please BUY\r\n now\r\n"),
        (STRANGER, ENCODED),
        ("bob@spam.example", ""),
        (STRANGER, "Subject: Do you buy?\r\n"),
    )
    assert found == [refused, refused, ".Junk", "inbox"], found


def as_the_rules_say(machine: Machine) -> None:
    """Each rule of the page does what it says."""
    no_offers(machine)
    assert "headers-reject line=2" in machine.lab.log
    assert "headers-junk line=4" in machine.lab.log
    found = places(
        machine,
        (STRANGER, "Subject: buy it now!\r\n"),
        (STRANGER, "x-mailer: Mass Mailer 5.1\r\n"),
        (STRANGER, 'List-Id: "What you need" <offers.example.net>\r\n'),
    )
    assert found == ["550 5.7.1 We buy nothing", "554 5.7.1 No bulk mail", ".Junk"]
    fields = "Reply-To: Old <x@old.example.com>\r\nX-Internal-Room: 5\r\nX-CHECKED: by me\r\n"
    passed = visit(machine.lab, CONFIRMED_PTR, 25, front=fields)
    assert (passed.place, passed.fields(b"X-Internal-")) == ("inbox", [])
    assert passed.fields(b"X-Checked") == [b"X-Checked: rules at example.com"]
    assert passed.fields(b"Reply-To") == [b"Reply-To: staff@example.com"]


def as_postfix_does(machine: Machine) -> None:
    """What header_checks refused is refused, and what they changed is changed."""
    found = places(machine, (STRANGER, "Subject: Please Buy now!\r\n"), (STRANGER, ENCODED))
    assert found == ["550 5.7.1 We buy nothing"] * 2
    fields = f"{TELLING}X-Mailer: x\r\nReply-To: <x@OLD.example.com>\r\n"
    passed = visit(machine.lab, CONFIRMED_PTR, 25, front=fields)
    assert passed.fields(b"Reply-To") == [b"Reply-To: staff@example.com"]
    gone = (b"X-Internal-", b"User-Agent", b"X-Mailer")
    assert [passed.fields(each) for each in gone] == [[], [], []]
    assert len(passed.fields(b"X-Originating-IP")) == 1


def of_a_user(machine: Machine, front: str) -> mail.Reply:
    """Have Alice send herself a mail with some fields."""
    alice = "alice@example.com"
    with mail.submission(machine.lab.guide) as client:
        message = front.encode() + mail.compose(alice, alice, "from afar")
        return mail.send(client, alice, alice, message)


def tells_nothing(machine: Machine) -> None:
    """The mail of a user tells neither where she is nor what program she has."""
    assert of_a_user(machine, TELLING)[0] == 250
    header = machine.lab.inbox.one().message.partition(b"\n\n")[0]
    assert b"\nReceived: by " in b"\n" + header
    for word in (CONFIRMED_PTR.encode(), b"client.example.net", b"Writer", b"10.0.0.7"):
        assert word not in header


def of_others_and_users(machine: Machine) -> None:
    """Mail of others follows the rules, and that of users tells nothing."""
    no_offers(machine)
    tells_nothing(machine)


def private(machine: Machine) -> None:
    """So it is by the page, which has more rules; mail of programs is treated alike."""
    tells_nothing(machine)
    assert of_a_user(machine, f"{TELLING}Organization: My own\r\n")[0] == 250
    header = machine.lab.inbox.one().message.partition(b"\n\n")[0]
    assert b"\nOrganization: Example Ltd.\n" in header
    assert b"X-Internal" not in header
    refused = of_a_user(machine, "Subject: [Draft] our offer\r\n")
    assert refused == (550, b"5.7.1 This is not to be sent yet")
    assert machine.from_alice().startswith(b"Received: by ")
