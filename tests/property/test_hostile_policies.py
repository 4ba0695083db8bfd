"""Hostile clients and a hostile DNS before the filters that judge clients: all is answered."""

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.answer import Deferred
from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply
from opensmtpd.mail.dnsbl.options import in_order
from opensmtpd.mail.policy.filter import PolicyFilter
from opensmtpd.testing import SmtpClient, Smtpd
from opensmtpd_filters import dnsbl, rdns
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
        self.open: list[tuple[Sequence[Question], Deferred[list[Reply]]]] = []
        """What it was asked and has not replied to."""

    def known(self, questions: Sequence[Question]) -> list[Reply] | None:
        return self.replies(questions) if self.dice.random() < self.knows else None

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        asked = questions, Deferred[list[Reply]]()
        if self.dice.random() < 0.3:
            asked[1].settle(self.replies(questions))
        else:
            self.open.append(asked)
            asked[1].on_cancel(lambda: self.open.remove(asked))
        return asked[1]

    def go_on(self) -> None:
        """Reply to any one."""
        if self.open:
            questions, replies = self.open.pop(self.dice.randrange(len(self.open)))
            replies.settle(self.replies(questions))

    def start(self, questions: Sequence[Question]) -> None: ...

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

    oracle: Oracle
    lines = (*LINES, b"X-Spam: Yes", b"X-Spam-Reason: none", b" folded", b"Received: from x")

    def work(self) -> None:
        super().work()
        self.oracle.go_on()

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


def play(crowd: Crowd, protocol: FilterConnection) -> None:
    """Have a crowd come and go; nothing may hang or stay behind."""
    crowd.run(30)
    crowd.pump()
    while crowd.oracle.open or crowd.jobs:
        crowd.work()
        crowd.pump()
    assert crowd.smtpd.hung() == []
    for client in crowd.smtpd.clients:
        client.vanish()
    crowd.pump()
    assert (protocol.session_count, protocol.message_count, protocol.held_bytes) == (0, 0, 0)


def storm(policy: PolicyFilter, seed: int) -> None:
    """Have a crowd come; nothing may fail, hang, be illegal or stay behind."""
    policy.dns = oracle = Oracle(Random(seed), 0.5)
    failures: list[object] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        failures.append((event, fields))

    protocol = FilterConnection(policy, log=log)
    smtpd = Smtpd()
    crowd = Crowd(Random(seed), smtpd, protocol)
    crowd.oracle = oracle
    play(crowd, protocol)
    assert [failure for failure in failures if "no answer within" not in str(failure)] == []


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
    storm(clients, seed)


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
    storm(dnsbl.Dnsbl(listed), seed)
