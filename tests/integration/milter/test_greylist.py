"""milter-greylist behind filter-milter: a stranger comes again, and his mail passes then."""

import re
import time

import pytest

from integration.support.milter_real import number, prepare, seen_by, send
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR
from lab.peers.milters.greylist import GreylistServer
from lab.shows.demo import LOCAL, STRANGER
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milters", prepare)], indirect=True, ids=str
)
MESSAGE = b"From: bob@example.net\r\nSubject: hello\r\n\r\nhello\r\n"
LATER = re.compile(rb"4\.7\.1 .*(?i:greylist).*")


def test_the_client_comes_again(lab: Lab, greylist: GreylistServer) -> None:
    seen_by(lab, greylist)
    code, text = send("greylist", MESSAGE)
    assert code == 451
    assert LATER.fullmatch(text)
    assert send("greylist", MESSAGE, source=LYING_PTR)[0] == 451
    end = time.monotonic() + 60
    while (reply := send("greylist", MESSAGE))[0] != 250:
        assert reply[0] == 451
        assert time.monotonic() < end
        time.sleep(0.2)
    message = lab.inbox.one().message
    assert re.search(rb"(?m)^X-Greylist: Delayed for \d\d:\d\d:\d\d by milter-greylist", message)


def test_each_recipient_is_one_of_its_own(lab: Lab, greylist: GreylistServer) -> None:
    seen_by(lab, greylist)
    with mail.connect(CONFIRMED_PTR, number("greylist")) as client:
        for sender in (STRANGER, "somebody@example.net"):
            client.mail(sender)
            assert client.rcpt("username@example.com")[0] == 451
            assert client.rcpt("username+else@example.com")[0] == 451
            client.rset()
    assert LOCAL
