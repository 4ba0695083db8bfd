"""ARC sets on a real smtpd: the results by filter-auth, then -A, then -S.

In the place of filter-auth, a stand-in writes the results that a test asks for, right or wrong.
dkimpy and Mail::DKIM judge what is delivered.
"""

import re
from collections.abc import Mapping

import pytest

from integration.support.dns_scenes import Chains, knock, listen, ours, port
from lab.peers import arc_judges, mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.nameserver import txt
from lab.root.plugin import LIBEXEC
from lab.root.root import VENV
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, setups

STAND_IN = f'''#!{VENV}/bin/python3
"""Put in front what follows X-Results:, as the field ARC-Authentication-Results."""
from opensmtpd import options, run
from opensmtpd.filter import Filter, HeldMessage, Session

class Message(HeldMessage):
    def __init__(self):
        self.front = []

    def header(self, lines):
        for line in lines:
            if line.startswith(b"X-Results:"):
                self.front = [b"ARC-Authentication-Results:" + line.partition(b":")[2]]

    def end(self):
        return self.front

class StandIn(Filter):
    def __init__(self, flags):
        pass

    def on_message(self, session):
        return Message()

run.filter(StandIn, options.filter_parser("filter-stand-in", ""))
'''
KEY = "-d example.com -s mail -k /etc/mail/dkim/private.key"
USER = " user _dkimsign group _dkimsign"
SIGN = ours("filter-dkimsign", f"-A --log-signed {KEY}") + USER
SEAL = ours("filter-dkimsign", f"-S --log-signed -t {KEY}") + USER
CHAINS: Chains = {
    "arc": (ours("filter-stand-in"), SIGN, SEAL),
    "judged": (ours("filter-auth", "-A mx.example.com"), SIGN, SEAL),
    "seal alone": (ours("filter-stand-in"), ours("filter-dkimsign", f"-S {KEY}") + USER),
}
NAME = "mail._domainkey.example.com"


def prepare(guide: Guide) -> None:
    program = guide.view / LIBEXEC / "filter-stand-in"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("arc", prepare), indirect=True, ids=str)


def zone() -> Mapping[str, str]:
    found = txt(NAME.encode())
    assert found is not None
    return {NAME: found.decode()}


def pass_on(lab: Lab, message: bytes, chain: str = "arc") -> bytes:
    """Send a message with LF line ends from outside; return the delivered copy."""
    with knock(CONFIRMED_PTR, port(CHAINS, chain)) as client:
        reply = mail.send(client, STRANGER, LOCAL, message.replace(b"\n", b"\r\n"))
    assert reply[0] == 250, reply
    return lab.inbox.one().message


def judged(message: bytes) -> set[str]:
    """Return what the judges say."""
    found = {arc_judges.dkimpy(message, zone())}
    if arc_judges.has_mail_dkim():
        found.add(arc_judges.mail_dkim(message, zone()))
    return found


def names(message: bytes) -> list[bytes]:
    """Return the names of the fields of ARC and Received, from the top."""
    header = message.partition(b"\n\n")[0].split(b"\n")
    found = [line.partition(b":")[0] for line in header]
    return [name for name in found if name.startswith(b"ARC-") or name == b"Received"]


SET = [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]
TEXT = mail.compose(STRANGER, LOCAL, "passed on").replace(b"\r\n", b"\n")


def with_results(text: str, message: bytes) -> bytes:
    """Return a message that tells the stand-in what to write, and nothing it told before."""
    lines = [line for line in message.split(b"\n") if not line.startswith(b"X-Results:")]
    return f"X-Results: {text}\n".encode() + b"\n".join(lines)


def test_a_chain_of_three(lab: Lab) -> None:
    before = lab.log.count(" arc-signed domain=example.com selector=mail\n")
    message = TEXT
    for instance in (1, 2, 3):
        arc = "pass" if instance > 1 else "none"
        message = pass_on(lab, with_results(f"i={instance}; example.com; arc={arc}", message))
        assert names(message)[: len(SET) + 1] == [*SET, b"Received"]
        assert b"\nARC-Message-Signature: i=%d; a=rsa-sha256; s=mail; " % instance in message
        assert b"c=relaxed/relaxed;" in message
        assert message.startswith(b"ARC-Seal: i=%d; a=rsa-sha256; s=mail; cv=%s; t=" % (
            instance, arc.encode()))  # fmt: skip
        assert judged(message) == {"pass"}
    assert lab.log.count(" arc-signed domain=example.com selector=mail\n") == before + 6
    changed = message.replace(b"Hello,", b"Hallo,")
    assert judged(changed) == {"fail"}


def test_a_chain_behind_filter_auth(lab: Lab) -> None:
    message = TEXT
    for instance in (1, 2, 3):
        message = pass_on(lab, message, "judged")
        assert names(message) == ([*SET, b"Received"] * instance)
        assert message.startswith(b"ARC-Seal: i=%d; " % instance)
        assert judged(message) == {"pass"}
    # Somebody changes it, then it comes twice more: the second time nothing is added.
    message = pass_on(lab, message.replace(b"Hello,", b"Hallo,"), "judged")
    assert message.startswith(b"ARC-Seal: i=4; a=rsa-sha256; s=mail; cv=fail; t=")
    message = pass_on(lab, message, "judged")
    assert message.startswith(b"Authentication-Results: mx.example.com;")
    assert names(message)[:2] == [b"Received", SET[0]]


def test_what_smtpd_changes_behind_the_filters(lab: Lab) -> None:
    """It completes an address, and unfolds the field."""
    text = TEXT.replace(b"To: ", b"To: Bob\n\t <bob>,\n  ", 1)
    text = text.replace(b"From: ", b"From:\n\t ", 1)
    message = pass_on(lab, with_results("i=1; example.com; arc=none", text))
    assert b"<bob@example.com>" in message
    assert judged(message) == {"pass"}
    covered = re.search(rb" h=([^;]*);", message)
    assert covered is not None
    listed = re.sub(rb"\s", b"", covered[1]).split(b":")
    assert listed == [b"message-id", b"date", b"subject", b"from"]


def test_a_broken_chain_is_sealed_as_such(lab: Lab) -> None:
    message = pass_on(lab, with_results("i=1; example.com; arc=none", TEXT))
    changed = message.replace(b"Hello,", b"Hallo,")
    message = pass_on(lab, with_results("i=2; example.com; arc=fail", changed))
    assert message.startswith(b"ARC-Seal: i=2; a=rsa-sha256; s=mail; cv=fail; t=")
    assert "pass" not in judged(message), "dkimpy says none where a seal says fail"
    after = pass_on(lab, with_results("i=3; example.com; arc=fail", message))
    assert names(after)[:2] == [SET[2], b"Received"], "nothing follows cv=fail"


def test_results_of_a_client_are_not_sealed(lab: Lab) -> None:
    line = ' arc-unsigned reason="no ARC-Authentication-Results on top"\n'
    before = lab.log.count(line)
    forged = b"ARC-Authentication-Results: i=1; example.com; arc=none; dmarc=pass\n" + TEXT
    assert names(pass_on(lab, forged)) == [b"Received", SET[2]]
    assert lab.log.count(line) == before + 2


def test_a_seal_needs_the_signature(lab: Lab) -> None:
    line = ' arc-unsigned reason="no ARC-Message-Signature on top"\n'
    before = lab.log.count(line)
    message = pass_on(lab, with_results("i=1; example.com; arc=none", TEXT), "seal alone")
    assert names(message) == [SET[2], b"Received"]
    assert lab.log.count(line) == before + 1
