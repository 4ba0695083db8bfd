"""Authors of other domains, and of domains in other scripts, on a real smtpd."""

import re

import pytest

from integration.support.checks import ALICE, DATE, deliver
from integration.support.more_flags import more_flags
from lab.peers import mail
from lab.peers.nameserver import txt
from lab.peers.second_verifier import fields, flaw, tags
from lab.support import Lab, setups

A_LABEL = b"xn--bcher-kva.example"

# With an empty environment, as smtpd gives it to filters, what Python makes of UTF-8 in a flag
# depends on its locale.
prepare = more_flags("-d example.com -d b\u00fccher.example --log-signed")
pytestmark = pytest.mark.parametrize("running", setups("authors", prepare), indirect=True, ids=str)


def sent_by(lab: Lab, author: bytes) -> bytes:
    message = b"From: " + author + b"\r\nTo: alice@example.com\r\n" + DATE + b"\r\nhello\r\n"
    with mail.submissions(lab.guide) as client:
        return deliver(lab, client, message).message


def domain(delivered: bytes) -> bytes:
    """Return ``d=`` of a signature that holds; its key is in the DNS below example.com."""
    assert flaw(delivered, lambda _: txt(b"mail._domainkey.example.com")) is None
    return tags(fields(delivered.split(b"\n"))[0])[b"d"]


@pytest.mark.parametrize(
    "author",
    [b"j@b\xc3\xbccher.example", b"J <j@B\xc3\x9cCHER.Example>", b"<j@mail.bu\xcc\x88cher.example>",
     b"j@xn--bcher-kva.example"],
)  # fmt: skip
def test_a_domain_in_another_script(lab: Lab, author: bytes) -> None:
    before = lab.log.count(f" dkim-signed domain={A_LABEL.decode()} selector=mail\n")
    assert domain(sent_by(lab, author)) == A_LABEL
    assert lab.log.count(f" dkim-signed domain={A_LABEL.decode()} selector=mail\n") == before + 1


def test_a_domain_without_a_key_is_named_once(lab: Lab) -> None:
    line = re.compile(
        r"dkimsign: [0-9a-f]{16} dkim-unmatched reason=\"no key for the domain\""
        r" domain=exmaple\.com signs=example\.com remedy=\"name this domain, too "
    )
    for _ in range(2):
        assert domain(sent_by(lab, b"alice@exmaple.com")) == b"example.com"
    assert len(line.findall(lab.log)) == 1


def test_an_author_without_a_domain(lab: Lab) -> None:
    before = lab.log.count(' dkim-unmatched reason="no domain in From" signs=example.com\n')
    assert domain(sent_by(lab, b"a@example.com b@example.com")) == b"example.com"
    log = lab.log
    assert log.count(' dkim-unmatched reason="no domain in From" signs=example.com\n') == before + 1


def test_cron_leaves_its_address_to_smtpd(lab: Lab) -> None:
    """smtpd completes it on each listener, behind us: no signature could hold."""
    mail.sendmail(lab.guide.view, "alice", ALICE, b"From: root (Cron Daemon)\nTo: root\n\nhello\n")
    delivered = lab.inbox.one().message
    assert b"\nFrom: root@example.com (Cron Daemon)\nTo: root@example.com\n" in delivered
    assert not delivered.startswith(b"DKIM-Signature:")
