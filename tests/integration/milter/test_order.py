"""Several milters in order, milters behind another filter, and one that is away for a time."""

import pytest

from integration.support.milter_scenes import (
    PLACE,
    Seen,
    begin,
    content,
    prepare,
    transaction,
    visit,
)
from lab.peers.milters import scripted as says
from lab.peers.milters.scripted import CONTINUE, ScriptedMilter
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milter", prepare)], indirect=True, ids=str
)


def test_each_sees_what_those_before_it_changed(
    lab: Lab, milter: ScriptedMilter, second: ScriptedMilter
) -> None:
    milter.plan = {says.EOM: b"".join([
        says.insert(0, b"X-First", b"1"), says.change(1, b"Subject", b"changed"),
        says.change(1, b"To", b""), says.body(b"other\r\n"), CONTINUE,
    ])}  # fmt: skip
    second.plan = {
        says.EOM: says.change(1, b"X-First", b"2") + says.add(b"X-Last", b"3") + CONTINUE
    }
    assert visit("two").code == 250
    assert milter.letters().startswith(b"OCHMRTLLLLNBE")
    assert second.said(says.HEADER) == [
        *(b"X-First\x001\0", b"From\0bob@example.net\0", b"Subject\0changed\0"),
        b"Date\0Tue, 03 Mar 2026 10:00:00 +0000\0",
    ]
    assert second.said(says.BODY) == [b"other\r\n"]
    wanted = (
        b"Received:\r\nX-First: 2\r\nFrom: bob@example.net\r\nSubject: changed\r\n"
        b"Date: Tue, 03 Mar 2026 10:00:00 +0000\r\nX-Last: 3\r\n\r\nother\r\n"
    )
    assert content(lab.inbox.one()) == ("inbox", wanted)


@pytest.mark.parametrize("stage", says.STAGES)
def test_the_second_is_not_asked_where_the_first_refuses(
    lab: Lab, milter: ScriptedMilter, second: ScriptedMilter, stage: str
) -> None:
    letter = says.STAGES[stage]
    milter.plan = {letter: says.REJECT}
    assert visit("two").code == 550
    before = b"OCHMRTLLLLNBE".partition(letter)[0]
    asked = before if stage in ("connect", "helo", "mail", "rcpt", "data") else b"OCHMRT"
    assert second.letters().rstrip(b"AQ") == asked


@pytest.mark.parametrize("stage", says.STAGES)
def test_the_first_lets_pass_what_the_second_refuses(
    lab: Lab, milter: ScriptedMilter, second: ScriptedMilter, stage: str
) -> None:
    milter.plan = {says.EOM: says.add(b"X-New", b"1") + CONTINUE}
    second.plan = {says.STAGES[stage]: says.reply(b"554 5.7.1 second")}
    seen = visit("two")
    assert seen[1:] == (554, "5.7.1 second")
    milter.plan = dict.fromkeys((says.STAGES[stage],), says.ACCEPT)
    assert visit("two") == seen


def test_lines_of_a_filter_above_are_hidden(lab: Lab, milter: ScriptedMilter) -> None:
    milter.plan = {says.EOM: says.insert(0, b"X-Top", b"top") + CONTINUE}
    assert visit("behind another").code == 250
    message = lab.inbox.one().message
    names = [line.partition(b":")[0] for line in message.split(b"\n\n")[0].split(b"\n")
             if line[:1] not in b" \t"]  # fmt: skip
    top = names.index(b"Received")
    assert b"Authentication-Results" in names[:top]
    assert names[top + 1 : top + 3] == [b"X-Top", b"From"]
    assert [each.split(b"\0")[0] for each in milter.said(says.HEADER)] == [
        *(b"From", b"To", b"Subject", b"Date"),
    ]


def test_a_milter_is_away_and_comes_back(lab: Lab, milter: ScriptedMilter) -> None:
    """Within one session: the client is told to come again, and the milter is asked anew then."""
    before = len(lab.log)
    milter.away()
    try:
        with begin() as client:
            assert client.ehlo()[0] == 250
            away = Seen("mail", 451, "4.7.1 Service unavailable, please try again later")
            assert transaction(client) == transaction(client) == away
            milter.back()
            assert transaction(client).code == 250
            assert milter.letters() == b"OCHMRTLLLLNBE"
    finally:
        milter.away()
        milter.back()
    lab.inbox.one()
    assert f" milter-lost milter={PLACE} reason=" in lab.log[before:]
    assert " milter-unavailable action=tempfail\n" in lab.log[before:]
