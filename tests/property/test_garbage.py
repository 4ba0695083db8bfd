"""Nothing that comes from smtpd's side raises, or keeps other sessions from being served."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.errors import VersionError
from opensmtpd.testing import Driver, Smtpd
from opensmtpd.testing.model.registry import EVENTS, PHASES
from property.hostile import Dice, Hostile
from property.tame import Calm, Tame


def silent(event: str, session: str | None = None, **fields: object) -> None:
    assert event
    for value in fields.values():
        str(value)


WORD = st.text(string.ascii_lowercase + "-", max_size=8).map(str.encode)
FIELD = st.one_of(WORD, st.binary(max_size=12), st.sampled_from([b"", b"0.7", b"ready", b"ok"]))
NAMES = [name.encode() for name in [*EVENTS, *PHASES, "wiz", "link-future"]]
EVENT = st.builds(
    lambda *fields: b"|".join([*fields[:-1], *fields[-1]]),
    st.sampled_from([b"report", b"filter", b"filter-result", b"config"]),
    st.sampled_from([b"0.5", b"0.6", b"0.7", b"0.8", b"1.0", b"0.4", b"", b"x.y", b"9" * 5000]),
    st.sampled_from([b"1795335705.124479", b"0", b"", b"nan", b"-inf", b"soon", b"1e999"]),
    st.sampled_from([b"smtp-in", b"smtp-out", b""]),
    st.sampled_from(NAMES),
    st.sampled_from([b"00000000deadbeef", b"", b"\xff", b"x" * 300]),
    st.lists(FIELD, max_size=8),
)
CONFIG = st.builds(
    lambda key, value: b"config|" + key + b"|" + value,
    st.sampled_from([b"protocol", b"smtp-session-timeout", b"admd", b"future", b"ready", b""]),
    FIELD,
)
LINE = st.one_of(EVENT, EVENT, CONFIG, st.binary(max_size=200), st.just(b"config|ready"))


@settings(max_examples=300)
@given(st.lists(LINE, max_size=12), st.integers(1, 100))
def test_garbage_before_the_handshake_ends(lines: list[bytes], chunk: int) -> None:
    protocol = FilterConnection(Tame(), log=silent)
    data = b"\n".join(lines)
    try:
        for at in range(0, len(data), chunk):
            protocol.receive(data[at : at + chunk], 0.0)
            protocol.data_to_send()
    except VersionError:
        assert not protocol.ready


@settings(max_examples=300)
@given(st.lists(LINE, max_size=12), st.booleans(), st.integers(1, 100))
def test_garbage_after_the_handshake(lines: list[bytes], hostile: bool, chunk: int) -> None:
    protocol = FilterConnection(Hostile(Dice(1)) if hostile else Tame("sum"), log=silent)
    data = b"config|protocol|0.7\nconfig|ready\n" + b"\n".join(lines) + b"\n"
    for at in range(0, len(data), chunk):
        protocol.receive(data[at : at + chunk], 0.0)
        while protocol.data_to_send():
            pass
    assert protocol.ready
    protocol.dispatcher.expire(1e9)


@settings(max_examples=150)
@given(st.lists(LINE, min_size=20, max_size=20), st.sampled_from(["", "sum", "double"]))
def test_a_session_amid_garbage(lines: list[bytes], kind: str) -> None:
    smtpd = Smtpd()
    driver = Driver(FilterConnection(Calm(kind), log=silent), smtpd.receive)
    garbage = iter(lines)

    def settle() -> None:
        while data := smtpd.data_to_send():
            for line in data.splitlines(keepends=True):
                driver.feed(line)
                if smtpd.ready:
                    junk = next(garbage, b"").replace(b"\n", b"")
                    if not junk.startswith(b"config|protocol|"):
                        driver.feed(junk + b"\n")

    settle()
    client = smtpd.connect()
    for command in (client.ehlo, client.mail, client.rcpt, client.data):
        command()
        settle()
    client.send(b"Subject: x\n\n.body\n")
    settle()
    assert client.transactions[0].fate == "accepted"
    assert smtpd.hung() == []


@settings(max_examples=100)
@given(st.integers(0, 400), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_real_line_with_a_part_replaced(at: int, length: int, by: bytes) -> None:
    line = (
        b"report|0.7|1795335705.124479|smtp-in|tx-mail|1718c5e591926d28|018a64ac|ok|b@r.example\n"
        b"filter|0.7|1795335705.1|smtp-in|data-line|1718c5e591926d28|1f083015d732b8dd|Received: \n"
        b"filter|0.7|1795335705.1|smtp-in|data-line|1718c5e591926d28|1f083015d732b8dd|.\n"
        b"filter|0.7|1795335705.127591|smtp-in|commit|1718c5e591926d28|1f08301bf13c4c1f|\n"
    )
    protocol = FilterConnection(Tame("sum"), log=silent)
    protocol.receive(b"config|ready\n" + line[:at] + by + line[at + length :], 0.0)
    protocol.receive(b"\nreport|0.7|1.0|smtp-in|link-disconnect|1718c5e591926d28\n", 1.0)
    while protocol.data_to_send():
        pass
    protocol.dispatcher.expire(1e9)
