"""Mail through milters of the tests, at the places that pages of ours show."""

from contextlib import AbstractContextManager

from integration.support import milter_stand_in
from integration.support.dns_scenes import visit
from integration.support.manual_machine import Machine
from integration.support.milter_stand_in import EICAR, MilterStandIn
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR
from lab.peers.verify import signatures, verifies
from lab.shows import inbound

GREYLIST = "run/milter-greylist/milter-greylist.sock"
RESULTS = [
    b"Authentication-Results: example.com; dmarc=none",
    b"Authentication-Results: example.com; dkim=none",
]


def scanner(machine: Machine) -> AbstractContextManager[MilterStandIn]:
    """Return clamav-milter."""
    return MilterStandIn(machine.view / "run/clamav/clamav-milter.ctl", milter_stand_in.scanner)


def spamassassin(machine: Machine) -> AbstractContextManager[MilterStandIn]:
    """Return spamass-milter."""
    return MilterStandIn(machine.view / "run/spamass/spamass.sock", milter_stand_in.spamassassin)


def signed_by_a_milter(machine: Machine) -> None:
    """Its socket is for its group; without it, mail of users is put off."""
    group = int(machine.run("getent group opendkim | cut -d: -f3"))
    judge = milter_stand_in.signer(machine.view / "etc/mail/dkim/private.key")
    place = machine.view / "run/opendkim/opendkim.sock"
    alice = "alice@example.com"
    with mail.submission(machine.lab.guide) as client:
        assert client.mail(alice)[0] == 451
    with MilterStandIn(place, judge, mode=0o660, group=group):
        message = machine.from_alice()
        assert (signatures(message), verifies(message)) == (1, True)
        with mail.submission(machine.lab.guide) as client:
            assert mail.send(client, alice, alice, mail.compose(alice, alice, "signed"))[0] == 250
        assert verifies(machine.lab.inbox.one().message)


def origin_by_milters(machine: Machine) -> None:
    """The second milter sees what the first has written, and what it holds is junk."""
    lab = machine.lab
    with (
        MilterStandIn(8891, milter_stand_in.verifier),
        MilterStandIn(8893, milter_stand_in.policy),
    ):
        passed = visit(lab, CONFIRMED_PTR, 25)
        assert (passed.place, passed.fields(b"Authentication-Results:")) == ("inbox", RESULTS)
        spoofed = visit(lab, CONFIRMED_PTR, 25, sender=f"bob@{inbound.STRICT}")
        assert spoofed.place == f"550 {milter_stand_in.UNPROVED}"
        held = visit(lab, CONFIRMED_PTR, 25, sender=f"bob@{inbound.MILD}")
        assert (held.place, held.fields(b"X-Quarantine")) == (".Junk", [b"X-Quarantine: no proof"])


def content_by_milters(machine: Machine) -> None:
    """A virus is refused, and spam is junk; without the milters, mail is put off."""
    lab = machine.lab
    with scanner(machine), spamassassin(machine) as judge:
        marked = visit(lab, LYING_PTR, 25)
        assert (marked.place, marked.fields(b"X-Spam-Flag")) == (".Junk", [b"X-Spam-Flag: YES"])
        assert judge.seen[-1].values(b"Received") == []
        infected = visit(lab, LYING_PTR, 25, front=f"\r\n{EICAR}\r\n")
        assert infected.place == f"550 {milter_stand_in.INFECTED}"
    assert visit(lab, LYING_PTR, 25).place.startswith("451 4.7.1 Service unavailable")
    assert "milter-unavailable action=tempfail" in lab.log


def greylisted_by_a_milter(machine: Machine) -> None:
    """Who comes again is let in; greylisting may be away, and the others may not."""
    lab = machine.lab
    grey = MilterStandIn(machine.view / GREYLIST, milter_stand_in.greylist())
    with grey, scanner(machine), spamassassin(machine):
        places = [visit(lab, CONFIRMED_PTR, 25).place for _ in range(2)]
    assert places == [f"451 {milter_stand_in.GREYLISTED}", ".Junk"]
    content_by_milters(machine)


def passes_without_milters(machine: Machine) -> None:
    """They judge where they are there."""
    origin_by_milters(machine)
    passed = visit(machine.lab, CONFIRMED_PTR, 25)
    assert (passed.place, passed.fields(b"Authentication-Results:")) == ("inbox", [])
