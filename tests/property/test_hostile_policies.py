"""Hostile clients and a hostile DNS before the filters that judge clients: all is answered."""

import asyncio
from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.dnsbl.options import in_order
from opensmtpd.mail.policy.filter import PolicyFilter
from opensmtpd.testing import SmtpClient, Smtpd
from opensmtpd_filters import dnsbl, rdns
from property.hostile import Pause
from property.storm import LINES, Storm

NAMES = (b"<unknown>", b"", b"mail.example", b"192-0-2-5.dsl.example.net", b"192.0.2.5", b"a|b c",
         b"\xff\xfe\x01", b"x" * 255, b"localhost", b"\xc5\xbf.example")  # fmt: skip
SOURCES = (b"192.0.2.5:4711", b"[2001:db8::5]:25", b"[::ffff:192.0.2.5]:25", b"127.0.0.1:25",
           b"unix:/var/run/smtpd.sock", b"local", b"", b"[", b"999.0.2.5:1")  # fmt: skip
RECORDS = {
    RecordType.A: ("192.0.2.5", "127.0.0.2", "127.255.255.254", "203.0.113.1", "127.0.0.1"),
    RecordType.AAAA: ("2001:db8::5", "::1"),
    RecordType.PTR: ("mail.example", "192.0.2.9", "192-0-2-5.example.net", "x" * 63),
    RecordType.MX: ("mail.example",),
    RecordType.TXT: ("see\r\nfilter-result|x|y|proceed", "\xff" * 5000, "{ip}", ""),
}


class Oracle:
    """A DNS that knows, takes its time, or does not know, by the dice."""

    def __init__(self, dice: Random, knows: float) -> None:
        self.dice = dice
        self.knows = knows
        """How often it knows, from 0 to 1."""

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        return self.replies(questions) if self.dice.random() < self.knows else None

    async def ask(self, questions: Sequence[Question], until: float) -> list[Reply]:
        for _ in range(self.dice.randrange(3)):
            await Pause()
        return self.replies(questions)

    def reread_servers(self) -> None: ...

    def save(self) -> None: ...

    def replies(self, questions: Sequence[Question]) -> list[Reply]:
        return [self.reply(question) for question in questions]

    def reply(self, question: Question) -> Reply:
        some = RECORDS[question.kind]
        found: Reply = Found(tuple(self.dice.sample(some, self.dice.randint(1, len(some)))))
        failed = Failed("no | answer\n", ours=self.dice.random() < 0.5)
        return self.dice.choice([found, found, Absent(), failed])


class Crowd(Storm):
    """Clients from anywhere, some of whom have been junked or marked before."""

    lines = (*LINES, b"X-Spam: Yes", b"X-Spam-Reason: none", b" folded", b"Received: from x")

    def arrive(self) -> SmtpClient:
        dice = self.dice
        verdict = dice.choice(["pass", "fail", "error"])
        name, source = dice.choice(NAMES), dice.choice(SOURCES)
        return self.smtpd.connect(rdns=name, fcrdns=verdict, source=source)


ACTIONS = st.sampled_from(["off", "header", "junk", "tempfail", "reject:{rdns} {helo} {reason}",
                           "disconnect:421 4.7.0 {ip} {sender}"])  # fmt: skip
SWITCHES = st.lists(st.sampled_from(["--header", "--spare-authenticated"]), max_size=2)
CHECKS = ("--rdns", "--fcrdns", "--dynamic", "--helo-name", "--helo-ours", "--helo-dns",
          "--dns-failure")  # fmt: skip


def storm(policy: PolicyFilter, seed: int) -> None:
    """Have a crowd come; nothing may fail, hang, be illegal or stay behind."""
    # Lookups that are gathered need a loop that runs: there all is known.
    alone = not policy.rules.spare_authenticated
    policy.dns = Oracle(Random(seed), 0.5 if alone else 1.0)
    failures: list[object] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        failures.append((event, fields))

    protocol = FilterConnection(policy, log=log)
    smtpd = Smtpd()
    crowd = Crowd(Random(seed), smtpd, protocol)
    crowd.run(30)
    crowd.pump()
    while crowd.jobs:
        crowd.work()
        crowd.pump()
    assert smtpd.hung() == []
    for client in smtpd.clients:
        client.vanish()
    crowd.pump()
    assert (protocol.session_count, protocol.message_count, protocol.held_bytes) == (0, 0, 0)
    assert [failure for failure in failures if "no answer within" not in str(failure)] == []


async def in_a_loop(policy: PolicyFilter, seed: int) -> None:
    """The deadline of a lookup is on the clock of a loop."""
    storm(policy, seed)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**64),
    actions=st.lists(ACTIONS, min_size=len(CHECKS), max_size=len(CHECKS)),
    switches=SWITCHES,
    verify=st.booleans(),
)
def test_names(seed: int, actions: list[str], switches: list[str], verify: bool) -> None:
    words = [f"{check}={action}" for check, action in zip(CHECKS, actions, strict=True)]
    words += [*switches, *["--verify"] * verify]
    clients = rdns.Clients(rdns.parser().parse_args(words))
    asyncio.run(in_a_loop(clients, seed))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**64),
    failure=ACTIONS,
    switches=SWITCHES,
    how=st.sampled_from(["-mv", "-v", "--junk-at=2 --reject-at=3", "-m --reject-at=4"]),
)
def test_lists(seed: int, failure: str, switches: list[str], how: str) -> None:
    words = [*how.split(), f"--dns-failure={failure}", *switches]
    words += ["one.example", "-w", "white.example", "-d", "--score=-2", "names.example", "--helo"]
    words += ["helo.example", "--text", "{ip} {txt} {code}", "-s", "senders.example"]
    flags = dnsbl.parser()
    listed = flags.parse_args(in_order(flags, words))
    asyncio.run(in_a_loop(dnsbl.Dnsbl(listed), seed))
