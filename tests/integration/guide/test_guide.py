"""The guide's outcomes, as ``make demo`` shows them, on every smtpd."""

from base64 import b64encode

import pytest

from integration.support.checks import HEADER, deliver
from lab.peers.mail import submission
from lab.peers.verify import verifies
from lab.root.plugin import TREE
from lab.shows import demo
from lab.shows.guide import CONF, PASSWORD
from lab.support import Lab

HEADING = "Here is the entire configuration file in /etc/mail/smtpd.conf:\n\n"


def test_the_configuration_is_the_guides() -> None:
    text = TREE.parent / "shared" / "guide.txt"
    if not text.is_file():
        pytest.skip(f"no {text}")
    block = text.read_text().partition(HEADING)[2].partition("\n\nAdding users")[0]
    assert CONF.read_text() == block + "\n"


@pytest.mark.parametrize("scene", demo.SCENES, ids=lambda scene: scene.title)
def test_outcome(lab: Lab, scene: demo.Scene) -> None:
    assert demo.outcome(scene, lab.guide, lab.sink) == (scene.place, scene.signature)


def test_the_judge_sees_what_was_changed(lab: Lab) -> None:
    with submission(lab.guide) as client:
        message = deliver(lab, client, HEADER + b"\r\nhello\r\n").message
    assert verifies(message)
    assert not verifies(message.replace(b"hello", b"hallo"))
    assert not verifies(message.replace(b"Subject: odd", b"Subject: even"))


def test_no_password_in_the_log(lab: Lab) -> None:
    submission(lab.guide).quit()
    assert "user=alice result=ok" in lab.log
    assert PASSWORD not in lab.log
    assert b64encode(f"\0alice\0{PASSWORD}".encode()).decode() not in lab.log
