"""filter-auth on a real smtpd, with a zone of its own: results, and what follows from them."""

from collections.abc import Sequence
from typing import NamedTuple

import dkim
import pytest

from integration.support.dns_scenes import NAME, Chains, Fate, knock, listen, ours, port
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.peers.maildir import Delivered
from lab.peers.nameserver import Records, failing, silent
from lab.shows.demo import LOCAL
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, setups
from opensmtpd.mail.inbound.message import HEADER_MAX
from unit.support.dkim_material import RSA_PEM, RSA_PUBLIC

HONEST, STRANGER = CONFIRMED_PTR, "192.0.2.100"
"""Clients: who may send mail of the domains below, and who may not."""
LISTED = "192.0.2.101"
KEY = f'"{RSA_PUBLIC.decode()}"'
SPF = f'"v=spf1 ip4:{HONEST} -all"'


def domain(name: str, policy: str, spf: Sequence[str] = (SPF,)) -> Records:
    """Return the records of a domain that signs."""
    return {
        (name, "TXT"): list(spf),
        (f"_dmarc.{name}", "TXT"): [f'"v=DMARC1; p={policy}"'],
        (f"s._domainkey.{name}", "TXT"): [KEY],
    }


ZONE: Records = {
    **domain("reject.test", "reject"),
    **domain("junk.test", "quarantine"),
    **domain("watch.test", "none"),
    **domain("testing.test", "reject; t=y"),
    **domain("twice.test", "none", (SPF, '"v=spf1 ?all"')),
    **domain("soft.test", "none", ('"v=spf1 ~all"',)),
    **domain("neutral.test", "none", ('"v=spf1 ?all"',)),
    **domain("odd.test", "none", ('"v=spf1 a:x..y -all"',)),
    **domain("example.com", "reject"),
    ("nokey.test", "TXT"): [SPF],
    ("broken.test", "TXT"): failing(),
    ("_dmarc.broken.test", "TXT"): ['"v=DMARC1; p=reject"'],
    ("s._domainkey.broken.test", "TXT"): failing(),
    ("nopolicy.test", "TXT"): ['"v=spf1 -all"'],
    ("_dmarc.nopolicy.test", "TXT"): failing(),
    ("mute.test", "TXT"): silent,
    ("_dmarc.mute.test", "TXT"): silent,
    ("s._domainkey.mute.test", "TXT"): silent,
    ("helo.test", "TXT"): ['"v=spf1 -all"'],
}
CHAINS: Chains = {
    "default": (ours("filter-auth", "mx.test"),),
    "enforce": (ours("filter-auth", "--enforce --exempt /etc/mail/spared mx.test"),),
    "spf": (ours("filter-auth", "--spf-reject mx.test"),),
    "own": (ours("filter-auth", "--protect-own example.com --no-from reject mx.test"),),
    "arc": (ours("filter-auth", "-A mx.test"),),
    "quick": (ours("filter-auth", "--enforce --dns-deadline 2 mx.test"),),
    "unnamed": (ours("filter-auth"),),
}


def prepare(guide: Guide) -> None:
    spared = guide.view / "etc/mail/spared"
    spared.parent.mkdir(exist_ok=True)
    spared.write_text(f"{LISTED}\n")
    listen(guide, CHAINS, "enforce")


pytestmark = pytest.mark.parametrize("running", setups("judged", prepare), indirect=True, ids=str)


@pytest.fixture(autouse=True)
def zone(lab: Lab) -> None:
    lab.dns.records = {**lab.dns.records, **ZONE}


def message(author: str, front: str = "") -> bytes:
    lines = (f"From: {author}", f"To: {LOCAL}", "Subject: hello", "", "Hello,", "  there.", "")
    return front.encode() + "\r\n".join(lines).encode()


def signed(author: str, tags: bytes = b"relaxed/relaxed") -> bytes:
    """Return a message with the signature that dkimpy makes for the domain of its author."""
    text = message(author)
    name = author.rpartition("@")[2].encode()
    forms = tuple(tags.split(b"/"))
    field = dkim.sign(
        text,
        b"s",
        name,
        RSA_PEM.encode(),
        canonicalize=forms,
        include_headers=[b"from", b"subject"],
    )
    return bytes(field) + text


def come(
    lab: Lab,
    title: str,
    content: bytes,
    *,
    client: str = HONEST,
    sender: str = "bob@reject.test",
    helo: str = NAME,
) -> Fate:
    """Send Alice a message; return what became of it."""
    with knock(client, port(CHAINS, title), helo) as connection:
        code, text = mail.send(connection, sender, LOCAL, content)
    if code != 250:
        return Fate(f"{code} {text.decode()}")
    return fate(lab.inbox.one())


def fate(delivered: Delivered) -> Fate:
    """Return the fate of a message that was delivered; that of a bounce has no Return-Path."""
    lines = delivered.content.split(b"\n")
    agent = sum(line.startswith((b"Return-Path:", b"Delivered-To:")) for line in lines[:2])
    return Fate(delivered.folder, b"\n".join(lines[agent:]))


def results(done: Fate) -> str:
    """Return the value of the field on top, unfolded."""
    name, _, rest = done.message.partition(b":")
    assert name in (b"Authentication-Results", b"ARC-Authentication-Results"), done
    lines = rest.split(b"\n")
    end = next(at for at, line in enumerate(lines) if at and line[:1] not in (b" ", b"\t"))
    return b" ".join(b" ".join(lines[:end]).split()).decode()


# --- each result of each mechanism ----------------------------------------------------------------


class Case(NamedTuple):
    content: bytes
    sender: str
    client: str
    expected: tuple[str, ...]
    """What stands in the field, in this order."""


B = "b@"
CASES = {
    "all pass": Case(signed("b@reject.test"), "b@reject.test", HONEST,
        ("mx.test; dkim=pass header.s=s header.d=reject.test header.a=rsa-sha256 header.b=",
         "; arc=none; iprev=pass policy.iprev=192.0.2.7; spf=none smtp.helo=client.example.net;"
         " spf=pass smtp.mailfrom=b@reject.test; dmarc=pass header.from=reject.test")),
    "simple": Case(signed("b@reject.test", b"simple/simple"), "b@reject.test", HONEST,
        ("dkim=pass ", "dmarc=pass ")),
    "dkim alone": Case(signed("b@reject.test"), "b@nokey.test", STRANGER,
        ("dkim=pass ", "spf=fail smtp.mailfrom=b@nokey.test; dmarc=pass ")),
    "spf alone": Case(message("b@reject.test"), "b@reject.test", HONEST,
        ("dkim=none;", "spf=pass ", "dmarc=pass ")),
    "changed": Case(signed("b@reject.test").replace(b"Hello", b"Hi"), "b@reject.test", STRANGER,
        ('dkim=fail reason="the body was changed" ', "spf=fail ",
         "dmarc=fail header.from=reject.test policy.dmarc=reject")),
    "no key": Case(signed("b@nokey.test"), "b@nokey.test", HONEST,
        ("dkim=permerror ", "spf=pass ", "dmarc=none header.from=nokey.test")),
    "nothing": Case(message("b@none.test"), "b@none.test", HONEST,
        ("dkim=none; arc=none; ", "spf=none ", "dmarc=none header.from=none.test")),
    "a bounce": Case(message("b@reject.test"), "", HONEST,
        ("spf=none smtp.helo=client.example.net;",
         "spf=none smtp.mailfrom=postmaster@client.example.net; dmarc=fail ")),
    "a sender that is not reported": Case(
        message("b@reject.test"), "x" * 250 + "@reject.test", HONEST,
        ("spf=none smtp.helo=client.example.net; spf=none reason=",
         '"smtpd does not report a sender of more than 254 bytes"; dmarc=fail ')),
    "test mode": Case(message("b@testing.test"), "b@testing.test", STRANGER,
        ("dmarc=fail ", "policy.dmarc=quarantine")),
    "softfail": Case(message("b@soft.test"), "b@soft.test", HONEST, ("spf=softfail ",)),
    "neutral": Case(message("b@neutral.test"), "b@neutral.test", HONEST, ("spf=neutral ",)),
    "permerror": Case(message("b@twice.test"), "b@twice.test", HONEST,
        ("spf=permerror ", "dmarc=fail ")),
    "temperror": Case(signed("b@broken.test"), "b@broken.test", HONEST,
        ("dkim=temperror ", "spf=temperror ", "dmarc=temperror ")),
    "no policy": Case(message("b@nopolicy.test"), "b@nopolicy.test", HONEST,
        ("spf=fail ", "dmarc=temperror ")),
    "no PTR": Case(message("b@watch.test"), "b@watch.test", NO_PTR,
        ("iprev=permerror policy.iprev=192.0.2.5;",)),
    "lying PTR": Case(message("b@watch.test"), "b@watch.test", LYING_PTR,
        ("iprev=fail policy.iprev=192.0.2.6;",)),
    "no From": Case(b"Subject: x\r\n\r\nx\r\n", "b@watch.test", HONEST, ("dmarc=none",)),
    "two authors": Case(message("b@reject.test, c@watch.test"), "b@reject.test", HONEST,
        ("spf=pass ", "dmarc=none")),
}  # fmt: skip


@pytest.mark.parametrize("title", CASES)
def test_results(lab: Lab, title: str) -> None:
    case = CASES[title]
    done = come(lab, "default", case.content, client=case.client, sender=case.sender)
    assert done.place == "inbox"
    rest = results(done)
    for part in case.expected:
        before, found, rest = rest.partition(part)
        assert found, f"{part!r} is not behind {before!r}"


# --- what follows ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author", "client", "place"),
    [
        ("b@reject.test", HONEST, "inbox"),
        ("b@reject.test", STRANGER,
         "550 5.7.1 Message refused by the DMARC policy for reject.test"),
        ("b@sub.reject.test", STRANGER,
         "550 5.7.1 Message refused by the DMARC policy for sub.reject.test"),
        ("b@junk.test", HONEST, "inbox"),
        ("b@junk.test", STRANGER, ".Junk"),
        ("b@testing.test", STRANGER, ".Junk"),
        ("b@watch.test", STRANGER, "inbox"),
        ("b@none.test", STRANGER, "inbox"),
        ("b@broken.test", STRANGER, "inbox"),
        ("b@reject.test", LISTED, "inbox"),
    ],
)  # fmt: skip
def test_enforced(lab: Lab, author: str, client: str, place: str) -> None:
    done = come(lab, "enforce", message(author), client=client, sender=author)
    assert done.place == place
    if client == LISTED:
        assert results(done) == "mx.test; none (not judged: listed)"
    if place == ".Junk":
        name = author.rpartition("@")[2]
        reason = f"X-Spam-Reason: auth; DMARC policy of {name}: quarantine"
        assert done.fields(b"X-Spam") == [b"X-Spam: Yes", reason.encode()]


def test_a_name_server_that_is_silent_refuses_nothing(lab: Lab) -> None:
    done = come(lab, "quick", signed("b@mute.test"), client=STRANGER, sender="b@mute.test")
    assert done.place == "inbox"
    shown = results(done)
    assert "dkim=temperror " in shown
    assert "spf=temperror " in shown
    assert "dmarc=temperror " in shown


def test_spf_alone(lab: Lab) -> None:
    refused = come(lab, "spf", signed("b@watch.test"), client=STRANGER, sender="b@watch.test")
    assert refused.place == f"550 5.7.23 SPF: {STRANGER} may not send mail of watch.test"
    refused = come(lab, "spf", message("b@watch.test"), sender="b@watch.test", helo="helo.test")
    assert refused.place == f"550 5.7.23 SPF: {HONEST} may not send mail of helo.test"
    for sender in ("b@watch.test", "b@broken.test", "b@none.test", ""):
        assert come(lab, "spf", message("b@watch.test"), sender=sender).place == "inbox"


def test_our_own_domain_and_nobody_from_outside(lab: Lab) -> None:
    spoofed = come(lab, "own", message("bob@example.com"), client=STRANGER)
    assert spoofed.place.startswith("550 5.7.1 Message refused: authenticate to send mail from ")
    assert come(lab, "own", signed("bob@example.com"), client=STRANGER).place == "inbox"
    nobody = come(lab, "own", b"Subject: x\r\n\r\nx\r\n", client=STRANGER)
    assert nobody.place == "550 5.7.1 Message refused: its From field has no author"


def test_users_who_log_in_and_programs_of_this_machine_are_not_judged(lab: Lab) -> None:
    with mail.connect(STRANGER, port(CHAINS, "enforce")) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.login("alice", PASSWORD)
        code, _ = mail.send(client, LOCAL, LOCAL, message(LOCAL))
    assert code == 250
    judged = fate(lab.inbox.one())
    assert (judged.place, results(judged)) == ("inbox", "mx.test; none (not judged: authenticated)")
    mail.sendmail(lab.guide.view, "alice", LOCAL, message(LOCAL))
    delivered = lab.inbox.one()
    assert b"Authentication-Results: mx.test; none (not judged: local)\n" in delivered.message


def test_forged_fields_go_and_those_of_others_stay(lab: Lab) -> None:
    forged = (
        "Authentication-Results: MX.TEST; dmarc=pass\r\n header.from=reject.test\r\n"
        "Authentication-Results: other.test; dkim=pass\r\nX-Spam: No\r\n"
    )
    done = come(lab, "default", message("b@watch.test", forged), client=STRANGER)
    assert len(done.fields(b"Authentication-Results: mx.test;")) == 1
    assert done.fields(b"Authentication-Results: other.test") != []
    assert done.fields(b"X-Spam") == []


def test_arc_and_the_servers_own_name(lab: Lab) -> None:
    done = come(lab, "arc", signed("b@reject.test"), sender="b@reject.test")
    assert done.message.startswith(b"ARC-Authentication-Results: i=1; mx.test; dkim=pass ")
    done = come(lab, "unnamed", signed("b@reject.test"), sender="b@reject.test")
    assert results(done).partition(";")[0] not in ("", "localhost")


def test_several_messages_of_a_session(lab: Lab) -> None:
    with knock(STRANGER, port(CHAINS, "enforce")) as client:
        replies = []
        for author in ("b@reject.test", "b@watch.test", "b@reject.test", "b@none.test"):
            code, _ = mail.send(client, author, LOCAL, message(author))
            replies.append(code)
            client.rset()
        again, _ = client.ehlo("other.test")
        replies.append(mail.send(client, "b@watch.test", LOCAL, message("b@watch.test"))[0])
    assert replies == [550, 250, 550, 250, 250]
    seen = [results(fate(each)) for each in lab.inbox.take(3)]
    assert again == (503 if lab.smtpd == "7.6" else 250)  # 7.6 takes the first name
    assert sum("smtp.helo=other.test;" in each for each in seen) == (again == 250)


def test_the_name_given_after_starttls_counts(lab: Lab) -> None:
    with knock(STRANGER, port(CHAINS, "default"), "before.test") as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo("after.test")
        code, _ = mail.send(client, "b@watch.test", LOCAL, message("b@watch.test"))
    assert code == 250
    assert " smtp.helo=after.test;" in results(fate(lab.inbox.one()))


def test_one_log_line_a_message(lab: Lab) -> None:
    before = lab.log.count(" auth from=reject.test ")
    come(lab, "enforce", message("b@reject.test"), client=STRANGER, sender="b@reject.test")
    lines = [line for line in lab.log.splitlines() if " auth from=reject.test " in line][before:]
    assert len(lines) == 1
    assert (
        " spf=fail/reject.test dkim=none arc=none dmarc=fail/reject.test policy=reject" in lines[0]
    )


# --- what stops the C filter ----------------------------------------------------------------------

HOSTILE = {
    "two soft errors": b"DKIM-Signature: v=2; q=foo; a=rsa-x; d=a.test; s=s; h=from; bh=; b=\r\n",
    "a long selector": b"DKIM-Signature: v=1; a=rsa-sha256; d=a.test; h=from; bh=YQ==; b=YQ==;\r\n"
    b" s=" + b"x" * 5000 + b"\r\n",
    "a thousand signatures": signed("b@watch.test").partition(b"From:")[0] * 1000,
    "three hundred signatures": signed("b@watch.test").partition(b"From:")[0] * 300,
    "fifty-one sets": b"".join(b"ARC-Seal: i=%d; cv=pass\r\n" % i for i in range(1, 52)),
    "comments": b"From: "
    + b"(" * 20_000
    + b"\r\nAuthentication-Results: "
    + b"(" * 20_000
    + b"\r\n",
    "labels": b"DKIM-Signature: v=1; a=rsa-sha256; d=" + b"a." * 10_000 + b"; s=s\r\n",
}


@pytest.mark.parametrize("title", HOSTILE)
def test_what_a_header_may_hold(lab: Lab, title: str) -> None:
    done = come(lab, "default", HOSTILE[title] + message("b@watch.test"), sender="b@watch.test")
    large = len(HOSTILE[title]) > HEADER_MAX
    refused = "550 5.6.0 Message refused: header too large to be judged"
    assert done.place == (refused if large else "inbox")
    if done.place == "inbox":
        results(done)


@pytest.mark.parametrize(
    "sender", ["b@odd.test", "b@" + "x" * 70 + ".test", "b@[192.0.2.1]", "x=y+z/%@odd.test"]
)
def test_senders_and_records_with_impossible_names(lab: Lab, sender: str) -> None:
    done = come(lab, "enforce", message("b@watch.test"), sender=sender)
    # smtpd itself refuses some.
    assert done.place == "inbox" or done.place.startswith("5")


def test_a_line_of_blanks(lab: Lab) -> None:
    content = signed("b@watch.test") + b"x" + b" " * 60_000 + b"y\r\n"
    done = come(lab, "default", content, sender="b@watch.test")
    assert done.place == "inbox"
    assert "dkim=fail " in results(done)
