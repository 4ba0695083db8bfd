"""Laws of filter-limit: what its file may say, how much mail passes, and what clients may do."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd import log
from opensmtpd.errors import ConfigError
from opensmtpd.mail.limit.rules import LimitRules, Unit, Whose
from opensmtpd.testing import SmtpClient
from property.storm import Storm
from unit.support.limit_stage import LimitStage, accepted, stage

# --- the file -------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *Whose,
        *Unit,
        *("1/1h", "200/1h", "10M/d", "1G/1s", "0/1h", "1/401d", "999999999999G/s", "1/", "/", "5"),
        *("burst", "20", "0", "1K", "99999999999", "defer", "reject", "pace", "stop", "1d", "0s"),
        *("unlimited", "news", "@example.org", "*@example.org", "*.example.org", "192.0.2.0/24"),
        *("192.0.2.5", "[2001:db8::1]", "::/0", "10/8", "1.2.3.4.5", "<>", "#", "a#b", "\0", "*"),
        *("x" * 300, "y" * 1100, "\u0661/\u0661h", "\xe4", "\u2028", "@", "a@b@c", "**", "."),
    ]
)
WHITE = st.sampled_from([" ", "\t", "   ", "\x0b", "\xa0", "\r"])
LINES = st.lists(WORDS | st.text(max_size=8), max_size=8).flatmap(
    lambda words: st.lists(WHITE, min_size=len(words), max_size=len(words)).map(
        lambda white: "".join(f"{each}{word}" for each, word in zip(white, words, strict=True))
    )
)
SENSIBLE = st.tuples(
    st.sampled_from([*Whose]),
    WORDS,
    st.sampled_from([*Unit]),
    st.sampled_from(["1/1h", "3G/1m burst 2", "7/1s pace", "7/1s stop 1h", "unlimited", "1/1h #"]),
).map(" ".join)
FILES = st.lists(
    (LINES | SENSIBLE).map(lambda line: line.encode("utf-8", "replace")) | st.binary(max_size=20),
    max_size=6,
)


@settings(max_examples=500)
@given(lines=FILES)
def test_any_file_is_read_or_is_one_error(lines: list[bytes]) -> None:
    """The error names the file, the line and the remedy."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "limits"
        path.write_bytes(b"\n".join(lines))
        try:
            found = LimitRules(str(path))
        except ConfigError as error:
            said, line, remedy = str(error), error.line, error.remedy
        else:
            assert found.all != []
            return
    assert said.startswith(f"{path}:{line}: " if line else f"{path}: there is no limit; ")
    assert said.endswith(f"; {remedy}")
    assert remedy
    count = sum(each.count(b"\n") + 1 for each in lines)
    assert line is None or 1 <= line <= count


NAMES = st.text("abc*.@", min_size=1, max_size=8) | st.sampled_from(
    ["192.0.2.5", "192.0.2.9/24", "10/8", "2001:db8::/48", "[::1]", "1.2.3.4/0", "::/0"]
)


def like(whose: Whose, name: str) -> str:
    """Return somebody who is meant by a name: a star stands for a ``0``."""
    text = name.lower()
    if whose in (Whose.ADDRESS, Whose.NETWORK):
        text = text.strip("[]").replace("10/8", "10.0.0.0/8")
        return str(ip_network(text, strict=False).network_address)
    if whose in (Whose.SENDER_DOMAIN, Whose.RECIPIENT_DOMAIN):
        return text.rstrip(".").replace("*", "0")
    user, at, domain = text.rpartition("@")
    return f"{user or 'x'}@{(domain or 'y').replace('*', '0')}" if at else text


@settings(max_examples=500)
@given(whose=st.sampled_from([*Whose]), name=NAMES)
def test_each_name_that_is_read_matches_somebody(whose: Whose, name: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "limits"
        path.write_text(f"{whose} messages 1/1h\n{whose} {name} messages 2/1h\n")
        try:
            rules = LimitRules(str(path))
        except ConfigError:
            return
    [rule] = rules.find(whose, Unit.MESSAGES, like(whose, name))
    assert rule.written == "2/1h"


# --- how much passes ------------------------------------------------------------------------------

GAPS = st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 2.5, 7.0, 61.0])
SIZES = st.integers(1, 6)


def check(events: list[tuple[float, int]], burst: float, rate: float, spare: float) -> None:
    """Assert that no span of time has more than the burst, and the rate for its length."""
    events = sorted(events)
    for first in range(len(events)):
        total = 0
        for time, cost in events[first:]:
            total += cost
            assert total <= burst + (time - events[first][0]) * rate + spare


@contextmanager
def quiet(rules: str, logged: list[str] | None = None) -> Iterator[LimitStage]:
    """Have the filter with some rules; its log goes to a list, or nowhere."""
    lines: list[str] = [] if logged is None else logged
    with (
        TemporaryDirectory() as folder,
        patch.object(log, "emit", lines.append),
        stage(Path(folder), rules) as mta,
    ):
        yield mta


def seconds(mta: LimitStage) -> float:
    return mta.state.now / 1e6


@settings(max_examples=50, deadline=None)
@given(
    mails=st.lists(st.tuples(GAPS, SIZES), min_size=1, max_size=30),
    unit=st.sampled_from([*Unit]),
    rate=st.sampled_from([(5, 1), (3, 10), (20, 60), (7, 3600)]),
    burst=st.none() | st.integers(1, 12),
    action=st.sampled_from(["", "reject"]),
)
def test_no_more_passes_than_the_rate(
    mails: list[tuple[float, int]],
    unit: Unit,
    rate: tuple[int, int],
    burst: int | None,
    action: str,
) -> None:
    units, period = rate
    factor = 300 if unit is Unit.BYTES else 1  # a message is never smaller
    units, most = units * factor, (burst or units) * factor if burst else units * factor
    rules = f"user {unit} {units}/{period}s burst {most} {action}"
    events: list[tuple[float, int]] = []
    with quiet(rules) as mta:
        client = mta.come(b"bob")
        for gap, size in mails:
            mta.pass_time(gap)
            names = [b"%d@x.example" % number for number in range(size)]
            body = b"Subject: x\n\n" + b"x" * 99 * size + b"\n"
            passed = accepted(mta.mail(client, *names, message=body))
            if unit is Unit.RECIPIENTS:
                sent = client.transactions[-1].recipients if passed else []
                events.append((seconds(mta), len(sent)))
            elif passed:
                content = client.transactions[-1].content
                cost = len(content) + content.count(b"\n") if unit is Unit.BYTES else 1
                events.append((seconds(mta), cost))
    check(events, most, units / period, 0.001)
    if unit is Unit.MESSAGES:  # and as much passes as may
        assert len(events) >= min(len(mails), most)


@settings(max_examples=50, deadline=None)
@given(
    mails=st.lists(st.tuples(GAPS, st.sampled_from("xy")), max_size=30),
    rate=st.sampled_from([(5, 1), (3, 10), (1, 20)]),
    burst=st.integers(1, 3),
    gone=st.integers(0, 5),
)
def test_paced_mail_is_evenly_spread(
    mails: list[tuple[float, str]], rate: tuple[int, int], burst: int, gone: int
) -> None:
    """For each domain, whichever clients vanish; and each of the others has an answer.

    A message to several domains may come late to one of them, and then with its next one.
    """
    units, period = rate
    rules = f"recipient-domain messages {units}/{period}s burst {burst} pace"
    sent: dict[str, list[tuple[float, int]]] = {"x": [], "y": []}
    with quiet(rules) as mta:
        waiting: list[tuple[SmtpClient, str]] = []

        def collect() -> None:
            for client, domain in list(waiting):
                if client.connected and not client.waiting:
                    waiting.remove((client, domain))
                    if accepted(client.replies[-1]):
                        sent[domain].append((seconds(mta), 1))

        for number, (gap, domain) in enumerate(mails):
            for _ in range(round(gap / 0.1)):
                mta.pass_time(0.1)
                collect()
            client = mta.come(source=b"127.0.0.1:1")
            mta.mail(client, f"a@{domain}.example".encode())
            waiting.append((client, domain))
            collect()
            if gone and number % 6 == gone and client.waiting:
                waiting.remove((client, domain))
                client.vanish()
                mta.settle()
        while mta.sleepers:
            mta.pass_time(0.05)
            collect()
        assert waiting == []
        assert mta.smtpd.hung() == []
    for each in sent.values():  # a look each 0.1 seconds
        check(each, burst, units / period, units / period * 0.11)


# --- clients --------------------------------------------------------------------------------------

USERS = (
    b"bob",
    b"Bob",
    b"news",
    b"\xff\xfe|x",
    b'a b="c"\x01',
    b"x" * 900,
    b"\xc4\xb0",
    b"@",
    b"*",
)
ADDRESSES = (
    *(
        b"",
        b"root",
        b"bob@example.org",
        b"BOB@Example.Org.",
        b"a|b@x.example",
        b"@x,@y:a@b.example",
    ),
    *(b"\xff@\xff.example", b"a@b@c.example", b"x" * 200 + b"@" + b"y" * 250, b"a@[192.0.2.1]"),
    *(
        b'"a b"@c.example',
        b"a@",
        b"@",
        b"a@\xc3\x84.example",
        b"a@*.example.org",
        b"\\xff@x.example",
    ),
)
HELOS = (
    b"client.example",
    b"\xff|\xfe",
    b"[192.0.2.1]",
    b"x" * 500,
    b"a b",
    b"filter-result|x|y|z",
)
SOURCES = (
    *(b"192.0.2.5:1", b"192.0.2.99:1", b"[2001:db8::1]:1", b"[::ffff:192.0.2.5]:1", b"127.0.0.1:1"),
    *(b"unix:/var/run/smtpd.sock", b"local", b"", b"[", b"999.0.2.5:1", b"[fe80::1%eth0]:1"),
)
RULES = """\
user messages 3/1h
user recipients 9/1h stop 1m
user news recipients unlimited
user @ bytes 3K/1h reject
address messages 9/10m reject
address bytes 5K/10s pace
network recipients 30/10m
network ::/0 messages 10/1s pace
sender messages 4/20s pace
sender @example.org recipients 6/10m
sender-domain messages 9/10m burst 3 reject
recipient-domain messages 9/60s pace
recipient-domain *.example.org bytes 2G/1s
"""


class Crowd(Storm):
    """Clients who say what is hard to read."""

    def arrive(self) -> SmtpClient:
        return self.smtpd.connect(source=self.dice.choice(SOURCES))

    def _sensible(self, client: SmtpClient) -> None:
        dice = self.dice
        if client.greeted and client.tls and client.username is None and client.identity:
            client.auth(dice.choice(USERS))
        elif client.identity and not client.tls and not client.transaction and dice.random() < 0.4:
            client.starttls()
        elif client.greeted and not client.identity:
            dice.choice([client.ehlo, client.helo])(dice.choice(HELOS))
        elif client.transaction is None and client.greeted and dice.random() < 0.7:
            client.mail(dice.choice(ADDRESSES))
        elif client.transaction is not None and dice.random() < 0.6:
            client.rcpt(dice.choice(ADDRESSES))
        else:
            super()._sensible(client)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**64), away=st.booleans(), reload=st.booleans())
def test_hostile_clients(seed: int, away: bool, reload: bool) -> None:
    """All are answered, nothing fails, nothing stays behind, and the log has lines that are plain.

    The model of smtpd raises Fatal for an answer that smtpd would not take.
    """
    dice = Random(seed)
    logged: list[str] = []
    with quiet(RULES, logged) as mta:
        crowd = Crowd(dice, mta.smtpd, mta.connection)
        live: list[SmtpClient] = []
        for _ in range(400):
            if len(live) < 6:
                live.append(crowd.arrive())
                mta.settle()
            crowd.step(dice.choice(live))
            mta.settle()
            if dice.random() < 0.2:
                mta.pass_time(dice.choice([0.001, 0.1, 1.0, 20.0]))
            if away and dice.random() < 0.1:
                mta.state.away = not mta.state.away
            if reload and dice.random() < 0.02:
                mta.hang_up()
            live = [client for client in live if client.connected]
        mta.pass_time(240)  # those who wait have their answers
        assert mta.smtpd.hung() == []
        for client in live:
            client.vanish()
        mta.settle()
        assert (mta.sleepers, len(mta.tasks)) == ([], 0)
        assert len(mta.connection.dispatcher.pending) == 0
        assert mta.connection.session_count == mta.connection.held_bytes == 0
    assert all(line.isprintable() for line in logged)
    events = {line.split(" ")[1] for line in logged}
    assert events <= {"limit-exceeded", "limit-stopped", "limit-pace"}
