"""``dmarc report`` hands a report to the sendmail of a real smtpd, and ``dmarc show`` reads it."""

import json
import os
import time
from contextlib import closing

import pytest

from integration.support.checks import ALICE
from lab.peers.verify import flaw, signatures
from lab.root import inside
from lab.shows.guide import Guide
from lab.support import Lab, setups
from opensmtpd.mail.dmarc.reports.store import ReportStore
from unit.support.dmarc_messages import PASSED, POLICY, SPARED, message

FOLDER = "/var/lib/dmarc-reports"
DATABASE = f"{FOLDER}/reports.db"
OWNER = 4321
"""A filter's user."""
YESTERDAY = int(time.time()) - 86400


def prepare(guide: Guide) -> None:
    """Keep results of yesterday, as a filter does, in a folder of its user."""
    folder = guide.view / FOLDER[1:]
    folder.mkdir(parents=True)
    path = guide.view / DATABASE[1:]
    policy = POLICY._replace(domain="example.com")
    rua = f"mailto:{ALICE},mailto:x@victim.example.org"
    with closing(ReportStore(str(path), new=True)) as store:
        store.add([message(time=YESTERDAY, policy=policy, rua=rua)] * 3)
        store.add([message(SPARED, time=YESTERDAY, policy=policy, rua=rua)])
    for each in (folder, path):
        os.chown(each, OWNER, OWNER)


pytestmark = pytest.mark.parametrize("running", setups("dmarc", prepare), indirect=True, ids=str)


def test_a_report_arrives_and_is_read(lab: Lab) -> None:
    command = ("opensmtpd-plugins", "dmarc", "report", "--send", "--receiver", "mail.example.com",
               "--from", "postmaster@example.com", DATABASE)  # fmt: skip
    done = inside.tried(lab.guide.view, *command)
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert f" example.com: sent to {ALICE}\n" in said
    assert "not sent to x@victim.example.org: victim.example.org has not agreed to it\n" in said
    mail = lab.inbox.one().message
    assert b"\nSubject: Report Domain: example.com" in mail
    assert signatures(mail) == 1  # so that it passes DMARC, as a report must
    assert flaw(mail) is None

    shown = inside.tried(lab.guide.view, "opensmtpd-plugins", "dmarc", "show", "--json", given=mail)
    found = json.loads(shown.stdout)
    assert [(each["messages"], each["source"]) for each in found["sources"]] == [
        (3, PASSED.source),
        (1, SPARED.source),
    ]
    assert found["reports"][0]["organization"] == "mail.example.com"

    again = inside.tried(lab.guide.view, *command)
    assert (again.returncode, again.stderr) == (0, b"")
