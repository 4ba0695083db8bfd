"""Each reply of a milter at each stage, and each modification: as client and mailbox see them."""

import pytest

from integration.support.milter_scenes import (
    MESSAGE,
    NAME,
    PLACE,
    Seen,
    begin,
    content,
    prepare,
    transaction,
    visit,
)
from lab.peers.milters import scripted as says
from lab.peers.milters.scripted import STAGES, ScriptedMilter
from lab.shows.demo import LOCAL
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milter", prepare)], indirect=True, ids=str
)
COMMANDS = b"OCHMRTLLLLNBE"
"""All that a milter hears of MESSAGE."""
CONTENT = ("header", "eoh", "body", "eom")
AWAY = (451, "4.7.1 Service unavailable, please try again later")
"""The reply where the milter misbehaves."""


def heard(milter: ScriptedMilter) -> bytes:
    """Return the commands that the milter got of the session, but for its end."""
    return milter.letters().rstrip(b"AQ")


# --- replies ------------------------------------------------------------------------------------

REFUSALS = {
    "reject": (says.REJECT, 550, "5.7.1 Command rejected"),
    "tempfail": (says.TEMPFAIL, 451, "4.7.1 Service unavailable, try again later"),
    "reply 550": (says.reply(b"550 5.7.1 we want 100%% of it"), 550, "5.7.1 we want 100% of it"),
    "reply 452": (says.reply(b"452 4.2.2 full"), 452, "4.2.2 full"),
    "reply of two lines": (
        says.reply(b"554-5.7.0 one\r\n554 5.7.0 two"), 554, "5.7.0 one two",
    ),
    "reply 421": (says.reply(b"421 4.3.2 closing"), 421, "4.3.2 closing"),
    "connection fails": (says.CONN_FAIL, 421, "4.7.1 Service unavailable, try again later"),
    "shutdown": (says.SHUTDOWN, 421, "4.7.1 Service unavailable, try again later"),
}  # fmt: skip


@pytest.mark.parametrize(("reply", "code", "text"), REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_refusal(
    lab: Lab, milter: ScriptedMilter, stage: str, reply: bytes, code: int, text: str
) -> None:
    """The milter hears no more of the message, and the client is told at the stage, or the dot."""
    before = len(lab.log)
    milter.forget({STAGES[stage]: says.PROGRESS + reply})
    assert visit() == Seen("dot" if stage in CONTENT else stage, code, text)
    assert f' milter-refused milter={PLACE} reply="{code} {text}"\n' in lab.log[before:]
    assert heard(milter) == COMMANDS[: COMMANDS.index(STAGES[stage]) + 1]


@pytest.mark.parametrize("stage", STAGES)
def test_accept(lab: Lab, milter: ScriptedMilter, stage: str) -> None:
    milter.forget({STAGES[stage]: says.ACCEPT})
    assert visit().code == 250
    assert content(lab.inbox.one()) == ("inbox", b"Received:\r\n" + MESSAGE)
    assert heard(milter) == COMMANDS[: COMMANDS.index(STAGES[stage]) + 1]


@pytest.mark.parametrize("stage", [each for each in STAGES if each not in ("connect", "helo")])
def test_discard(lab: Lab, milter: ScriptedMilter, stage: str) -> None:
    milter.forget({STAGES[stage]: says.DISCARD})
    assert visit().code == 250
    assert content(lab.inbox.one()) == (".Junk", b"X-Spam: Yes\r\nReceived:\r\n" + MESSAGE)
    assert heard(milter) == COMMANDS[: COMMANDS.index(STAGES[stage]) + 1]
    refused = Seen("dot" if stage in CONTENT else stage, 550, "5.7.1 Message refused")
    assert visit("stern") == refused


@pytest.mark.parametrize("stage", ["connect", "helo"])
def test_discard_before_there_is_a_message(lab: Lab, milter: ScriptedMilter, stage: str) -> None:
    """No milter may: it is as any other nonsense."""
    milter.forget({STAGES[stage]: says.DISCARD})
    assert visit() == Seen("mail", *AWAY)


@pytest.mark.parametrize("stage", STAGES)
def test_skip(lab: Lab, milter: ScriptedMilter, stage: str) -> None:
    """It is understood at fields and at the body; elsewhere it is nonsense."""
    milter.forget({STAGES[stage]: says.SKIP})
    seen = visit()
    if stage in ("header", "body"):
        assert content(lab.inbox.one()) == ("inbox", b"Received:\r\n" + MESSAGE)
        assert heard(milter) == (b"OCHMRTLNBE" if stage == "header" else COMMANDS)
    else:
        shown = {"connect": "mail", "helo": "mail"}.get(stage, stage)
        assert seen == Seen("dot" if stage in CONTENT else shown, *AWAY)


def test_the_rest_of_a_large_body_is_skipped(lab: Lab, milter: ScriptedMilter) -> None:
    message = MESSAGE + (b"x" * 98 + b"\r\n") * 3000
    milter.forget()
    assert visit("one", message).code == 250
    assert content(lab.inbox.one()) == ("inbox", b"Received:\r\n" + message)
    assert b"".join(milter.said(says.BODY)) == message.partition(b"\r\n\r\n")[2]
    assert max(map(len, milter.said(says.BODY))) <= 65_535
    milter.forget({says.BODY: says.SKIP})
    assert visit("one", message).code == 250
    assert content(lab.inbox.one()) == ("inbox", b"Received:\r\n" + message)
    assert heard(milter) == COMMANDS


@pytest.mark.parametrize("stage", ["helo", "data"])
def test_a_refusal_holds(lab: Lab, milter: ScriptedMilter, stage: str) -> None:
    """The client says it again, as smtpd lets it."""
    milter.forget({STAGES[stage]: says.REJECT})
    refused = (550, b"5.7.1 Command rejected")
    with begin() as client:
        for _ in range(2):
            if stage == "helo":
                assert client.ehlo() == refused
                assert client.helo() == refused
                assert client.mail("bob@example.net")[0] == 503
            else:
                client.ehlo()
                assert client.mail("bob@example.net")[0] == client.rcpt(LOCAL)[0] == 250
                assert client.docmd("DATA") == client.docmd("DATA") == refused
                client.rset()


def test_a_recipient_is_refused_and_others_are_not(lab: Lab, milter: ScriptedMilter) -> None:
    with begin() as client:
        client.ehlo()
        client.mail("bob@example.net")
        milter.plan = {says.RCPT: says.reply(b"550 5.1.1 nobody")}
        assert client.rcpt("username@example.com") == (550, b"5.1.1 nobody")
        milter.plan = {}
        assert client.rcpt(LOCAL)[0] == 250
        assert client.data(MESSAGE)[0] == 250
    assert content(lab.inbox.one()) == ("inbox", b"Received:\r\n" + MESSAGE)
    assert heard(milter) == b"OCHMRRTLLLLNBE"
    assert lab.inbox.rest() == []


def test_a_message_that_is_discarded_at_one_recipient(lab: Lab, milter: ScriptedMilter) -> None:
    """It is for none, though the milter is not asked about the other one."""
    milter.forget({says.RCPT: says.DISCARD})
    both = ("username@example.com", LOCAL)
    with begin("stern") as client:
        client.ehlo()
        client.mail("bob@example.net")
        for recipient in both:
            assert client.rcpt(recipient) == (550, b"5.7.1 Message refused")
    with begin() as client:
        client.ehlo()
        assert transaction(client, recipients=both).code == 250
    assert {each.folder for each in lab.inbox.take(1)} == {".Junk"}
    lab.server.check()
    assert lab.server.filters(NAME)
