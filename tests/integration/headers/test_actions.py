"""Each action of filter-headers, with its reply or its message as clients and Alice see them."""

from random import Random

import pytest

from integration.support.headers_scenes import (
    MESSAGE,
    Fate,
    connect,
    fate,
    prepare,
    visit,
    written,
)
from integration.support.odd_headers import message as odd
from lab.peers import mail
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "headers", prepare)], indirect=True, ids=str
)
CHECKED = b'X-Checked: by the "rules"\r\nReceived:\r\n'
"""The lines above each message that these rules let pass."""
JUNK = b"X-Spam: Yes\r\n" + CHECKED


def passed(*fields: bytes) -> Fate:
    """Return the fate of MESSAGE with these fields in front."""
    return Fate("inbox", CHECKED + written(*fields))


def test_a_message_that_no_rule_is_about(lab: Lab) -> None:
    """Its body is: that is none of the rules' business."""
    assert visit(lab, "actions", MESSAGE) == passed()


# --- reject ---------------------------------------------------------------------------------------

REFUSED = {
    b"Subject: buy now": (3, "550 5.7.1 Message refused"),
    b"Subject: BUY NOW": (3, "550 5.7.1 Message refused"),
    b"SUBJECT:buy now": (3, "550 5.7.1 Message refused"),
    b"Subject : buy now": (3, "550 5.7.1 Message refused"),
    b"Subject: buy\r\n now": (3, "550 5.7.1 Message refused"),
    b"Subject:\r\n\tbuy now": (3, "550 5.7.1 Message refused"),
    b"Subject: =?utf-8?q?buy_now?=": (3, "550 5.7.1 Message refused"),
    b"Subject: =?utf-8?b?YnU=?=\r\n =?utf-8?b?eSBub3c=?=": (3, "550 5.7.1 Message refused"),
    b"Subject: hello\r\nSubject: buy now": (3, "550 5.7.1 Message refused"),
    b"X-Case: refused": (4, "554 5.7.0 We want none of it"),
    b"X-Case: words": (5, '550 5.7.1 Not "this"'),
    b"X-Case: later": (6, "451 4.7.1 Come again"),
    b"X-Case: bare": (7, "450 4.7.1 Message refused"),
    b"X-Case: bye": (8, "421 4.3.2 Bye"),
    b"X-Case: later\r\nSubject: buy now": (3, "550 5.7.1 Message refused"),
}


@pytest.mark.parametrize(("fields", "wanted"), REFUSED.items())
def test_reject(lab: Lab, fields: bytes, wanted: tuple[int, str]) -> None:
    before = len(lab.log)
    assert visit(lab, "actions", written(*fields.split(b"\r\n"))) == Fate(wanted[1])
    assert f" headers-reject line={wanted[0]}\n" in lab.log[before:]


@pytest.mark.parametrize("subject", [b"rebuy now", b"buy now!", b"buy  now", b"buynow", b""])
def test_what_is_not_refused(lab: Lab, subject: bytes) -> None:
    assert visit(lab, "actions", written(b"Subject: " + subject)).place == "inbox"


def test_a_session_goes_on_behind_a_message_that_is_refused(lab: Lab) -> None:
    with connect("actions") as client:
        refused = mail.send(client, STRANGER, LOCAL, written(b"X-Case: refused"))
        assert refused == (554, b"5.7.0 We want none of it")
        client.rset()
        assert fate(lab, *mail.send(client, STRANGER, LOCAL, MESSAGE)) == passed()


# --- junk -----------------------------------------------------------------------------------------

MARKED = {
    b"From: Bob <bob@spam.example>": 11,
    b"From: bob@SPAM.example.net": 11,
    "Subject: Heute günstig".encode(): 12,
    "Subject: HEUTE GÜNSTIG".encode(): 12,
    b"Subject: =?UTF-8?Q?Heute_g=C3=BCnstig?=": 12,
    b"Subject: =?utf-8?B?SGV1dGUgR8OcTlNUSUc=?=": 12,
    b"Subject: =?iso-8859-1?q?Heute_g=FCnstig?=": 12,
    b"Subject: =?iso-8859-1?q?Heute_g=FCn?=\r\n =?iso-8859-1?q?stig?=": 12,
    b"Subject: =?windows-1252?q?g=DCnstig?= heute": 12,
    b"Subject: =?nobody?q?knows?= =?latin1?q?g=FCnstig?=": 12,
    b"Subject: =?ISO-2022-JP?B?GyRCOiMkOSQwOVhGfhsoQg==?=": 13,
    b"Subject: =?iso-2022-jp?b?GyRCOiMkORsoQg==?=\r\n =?iso-2022-jp?b?GyRCJDA5WEZ+GyhC?=": 13,
    "Subject: 今すぐ購入".encode(): 13,
    b"Subject: Re: your account": 14,
}


@pytest.mark.parametrize(("field", "line"), MARKED.items())
def test_junk(lab: Lab, field: bytes, line: int) -> None:
    before = len(lab.log)
    message = written(*field.replace(b"\r\n ", b"\n ").split(b"\r\n")).replace(b"\n ", b"\r\n ")
    assert visit(lab, "actions", message) == Fate(".Junk", JUNK + message)
    assert f" headers-junk line={line}\n" in lab.log[before:]


# --- edits ----------------------------------------------------------------------------------------


def test_remove(lab: Lab) -> None:
    """The rule behind it, which refuses such a field, finds none."""
    fields = b"X-Internal-Id: 1", b"x-internal-HOST: two\r\n lines", b"X-Kept: X-Internal-Id: 1"
    assert visit(lab, "actions", written(*fields)) == passed(fields[2])


@pytest.mark.parametrize(("value", "gone"), [(b"gone", True), (b"G0NE", True), (b"gones", False)])
def test_remove_some(lab: Lab, value: bytes, gone: bool) -> None:
    field = b"X-Case: " + value
    assert visit(lab, "actions", written(field)) == (passed() if gone else passed(field))


def test_replace(lab: Lab) -> None:
    new = b"Reply-To: Staff <staff@example.org>"
    assert visit(lab, "actions", written(b"Reply-To: <ann@old.example>")) == passed(new)
    kept = b"Reply-To: <ann@new.example>"
    assert visit(lab, "actions", written(kept)) == passed(kept)


def test_a_rule_sees_what_those_above_have_made(lab: Lab) -> None:
    seen = visit(lab, "actions", written(b"X-Case: old"))
    assert seen == Fate(".Junk", JUNK + written(b"X-Case: new"))


def test_no_field_at_all(lab: Lab) -> None:
    """smtpd adds a header where there is none; the rules see its own field, which is nobody's."""
    for message in (b"\r\nhello\r\n", b"X-Internal-Id: 1\r\n\r\nhello\r\n"):
        assert visit(lab, "actions", message) == Fate("inbox", CHECKED + b"\r\nhello\r\n")
    assert (
        visit(lab, "actions", b"X-Internal-Id: 1\r\n").message == CHECKED.rstrip(b"\r\n") + b"\r\n"
    )


# --- rules that match nothing ---------------------------------------------------------------------


def test_what_no_rule_matches_stays_byte_for_byte(lab: Lab) -> None:
    """Odd headers by the dozen, beside a listener that has no filter."""
    chance = Random(17)
    accepted = 0
    with connect("nothing") as filtered, connect("bare") as bare:
        for _ in range(40):
            message = odd(chance)
            seen = [
                fate(lab, *mail.send(client, STRANGER, LOCAL, message))
                for client in (filtered, bare)
            ]
            for client in (filtered, bare):
                client.rset()
            if seen[0].message:
                accepted += 1
                assert seen[0] == seen[1]
            else:
                assert (seen[0].place, seen[1].place) == (seen[1].place, seen[0].place)
    assert accepted > 20
