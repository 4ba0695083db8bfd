"""Hostile clients and a hostile DNS before filter-auth: all is answered, and nothing stays."""

from random import Random
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.testing import Smtpd
from property.test_hostile_policies import RECORDS, Crowd, Oracle, play
from unit.support.auth_mail import make
from unit.support.dkim_made import RECORDS as KEYS

TEXTS = (
    *(
        "v=spf1 -all",
        "v=spf1 a mx ptr exists:%{i}.%{l}%{o}%{d9r-} include:x.example ?all",
        "v=spf1 ",
    ),
    *("v=spf1 redirect=%{d}", "v=spf1 a:x..y -all exp=%{p}.x", "v=spf1 ip4:1.2.3.4/99", "\xff\x00"),
    *("v=DMARC1; p=reject; rua=mailto:a@b", "v=DMARC1;p=quarantine;sp=reject;np=none;t=y;psd=y"),
    *("v=DMARC1; p=none", "v=DMARC1; p=bogus", "x" * 4000, "", "v=DKIM1; p=", "v=DKIM1; p=YQ=="),
    *(str(key) for key in KEYS.values()),
)
LINES = (
    *(b"From: a@example.com", b"From: b@x.example, c@y.example", b"From: (((", b"From:", b" @"),
    *(b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=mail; h=from:from; bh=YQ==; b=YQ==",),
    *(
        b"DKIM-Signature: v=2; q=foo; a=rsa-x; d=" + b"a." * 200,
        b"DKIM-Signature:",
        b"\t l=1; x=0;",
    ),
    *(b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.com; s=mail; b=YQ==",),
    *(b"ARC-Message-Signature: i=1; a=rsa-sha256; d=example.com; s=mail; h=from; bh=; b=YQ==",),
    *(b"ARC-Authentication-Results: i=1; x; dmarc=fail", b"ARC-Seal: i=99999999999999999999"),
    *(b"Authentication-Results: mx.test; dmarc=pass", b"Authentication-Results", b"X-Spam: Yes"),
    *(b"Received: from x", b" folded", b"", b"", b"text", b"..dot", b".", b"\xff\r", b" " * 3000),
)


class Liar(Oracle):
    """A DNS with records of all kinds at each name."""

    def reply(self, question: Question) -> Reply:
        some = TEXTS if question.kind is RecordType.TXT else RECORDS.get(question.kind, ("x",))
        count = self.dice.choice([1, 1, 1, 2])
        absent = Absent(nxdomain=self.dice.random() < 0.5)
        failed = Failed("no | answer\n", ours=self.dice.random() < 0.5)
        found: Reply = Found(tuple(self.dice.sample(some, min(count, len(some)))))
        return self.dice.choice([found, found, found, absent, failed])


class Senders(Crowd):
    lines = LINES


OPTIONS = ("--enforce", "--spf-reject", "--header", "-A", "--weak", "--protect-own=example.com",
           "--no-from=reject", "--several-from=junk", "--trust-sealer=example.com")  # fmt: skip


@settings(max_examples=40)
@given(seed=st.integers(0, 2**64), options=st.sets(st.sampled_from(OPTIONS)))
def test_mail(seed: int, options: set[str]) -> None:
    filter = make(" ".join(sorted(options)))
    oracle = Liar(Random(seed), 0.5)
    filter.court.dns = oracle
    failures: list[object] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        failures.append((event, fields))

    protocol = FilterConnection(filter, log=log)
    smtpd = Smtpd()
    crowd = Senders(Random(seed), smtpd, protocol)
    crowd.oracle = oracle
    with patch("opensmtpd.log.emit"):
        play(crowd, protocol)
    assert filter.court.in_headers == 0
    assert [failure for failure in failures if "no answer within" not in str(failure)] == []
