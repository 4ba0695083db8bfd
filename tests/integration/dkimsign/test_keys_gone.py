"""Something else in the key's place when the filter is to read it again: mail goes on.

The old key signs, and the log says what is the matter.
"""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.checks import ALICE, hang_up, logged
from lab.peers import mail
from lab.peers.dead_mount import DEVICE, dead_mount
from lab.peers.verify import flaw, signatures
from lab.shows.guide import Guide
from lab.support import Lab, setups

KEY = "/etc/mail/dkim/private.key"
KEPT = 'kept="the old configuration"'


def prepare(guide: Guide) -> None:
    """Have a reload fail soon."""
    conf = guide.view / "etc/mail/smtpd.conf"
    text = conf.read_text()
    assert text.count("filter-dkimsign -d") == 1
    conf.write_text(text.replace("filter-dkimsign -d", "filter-dkimsign --deadline 5 -d"))


pytestmark = pytest.mark.parametrize("running", setups("keys", prepare), indirect=True, ids=str)


@pytest.fixture
def key(lab: Lab) -> Iterator[Path]:
    """The path of the key, which is away in the test, and back at its end."""
    path = lab.guide.view / KEY[1:]
    away = path.with_name("away")
    path.rename(away)
    yield path
    away.rename(path)
    hang_up(lab, "reloaded")


def assert_mail_goes_on(lab: Lab) -> None:
    with mail.submissions(lab.guide) as client:
        message = mail.compose(ALICE, ALICE, "signed with the old key")
        assert mail.send(client, ALICE, ALICE, message)[0] == 250
    delivered = lab.inbox.one().message
    assert signatures(delivered) == 1
    assert flaw(delivered) is None


def last_failure(lab: Lab) -> str:
    """Return the reason of the last reload that failed."""
    reason: str = re.findall(rf'dkimsign: reload-failed reason="(.*)" {KEPT}\n', lab.log)[-1]
    return reason


def test_a_fifo(lab: Lab, key: Path) -> None:
    os.mkfifo(key)
    hang_up(lab, "reload-failed")
    assert last_failure(lab) == f"{KEY}: a FIFO, not a regular file; name a regular file"
    assert_mail_goes_on(lab)
    key.unlink()


def test_nothing(lab: Lab, key: Path) -> None:
    hang_up(lab, "reload-failed")
    assert last_failure(lab) == (
        f"{KEY}: cannot read it: No such file or directory; make the file, or correct the path"
    )
    assert_mail_goes_on(lab)


def test_a_key_that_the_user_of_the_filter_may_not_read(lab: Lab, key: Path) -> None:
    """The error names the user that smtpd.conf's line gives."""
    key.write_text("secret")
    key.chmod(0o600)
    os.chown(key, 0, 0)
    hang_up(lab, "reload-failed")
    assert last_failure(lab) == (
        f"{KEY}: cannot read it: Permission denied; let user _dkimsign read it"
    )
    assert_mail_goes_on(lab)
    key.unlink()


@pytest.mark.skipif(not DEVICE.exists(), reason="the kernel has no FUSE")
def test_a_dead_mount(lab: Lab) -> None:
    (pid,) = lab.server.filters()
    before = lab.log.count(" reload-failed")
    with dead_mount(lab.guide.view / "etc/mail/dkim"):
        os.kill(pid, signal.SIGHUP)
        assert_mail_goes_on(lab)
        logged(lab, "reload-failed", before)
        assert last_failure(lab) == "no answer within 5 s"
        assert_mail_goes_on(lab)
    hang_up(lab, "reloaded")
    assert_mail_goes_on(lab)
