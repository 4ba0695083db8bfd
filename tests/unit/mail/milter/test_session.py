"""One connection to a milter: what is sent when, what a reply ends, and what is out of place."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from opensmtpd.errors import LocalError, ProtocolError
from opensmtpd.mail.milter.replies import (
    AddHeader,
    AddRecipient,
    MilterReply,
    PlainReply,
    QuarantineMail,
    ReplaceBody,
)
from opensmtpd.mail.milter.reply_text import ReplyCode
from opensmtpd.mail.milter.session import MilterSession, Sent
from unit.support.milter_talk import (
    SIZES,
    answer,
    at_eom,
    hear,
    negotiated,
    packet,
    replied,
)

NOTHING = Sent(b"", False)
KNOWN = {"j": b"mx.example.net", "i": b"0123abcd", "{rcpt_addr}": b"b@example.net"}
Step = Callable[[MilterSession], Sent]
STEPS: dict[str, Step] = {
    "connect": lambda session: session.connect(b"", ip_address("192.0.2.1"), 25, KNOWN),
    "helo": lambda session: session.helo(b"c.example.org", KNOWN),
    "mail": lambda session: session.mail(b"", KNOWN),
    "rcpt": lambda session: session.rcpt(b"b@example.net", KNOWN),
    "data": lambda session: session.data(KNOWN),
    "header": lambda session: session.header(b"Subject", b"  hi\n\tyou"),
    "eoh": lambda session: session.eoh(KNOWN),
    "body": lambda session: session.body(b".\r\n"),
    "eom": lambda session: session.eom(KNOWN),
}
WIRE = {
    "connect": (
        b"\0\0\0\x13DCj\0mx.example.net\0",
        b"\0\0\0\x1aC[192.0.2.1]\x004\0\x19192.0.2.1\0",
    ),
    "helo": (b"", b"\0\0\0\x0fHc.example.org\0"),
    "mail": (b"\0\0\0\x0dDMi\x000123abcd\0", b"\0\0\0\4M<>\0"),
    "rcpt": (
        b"\0\0\0\x27DRi\x000123abcd\0{rcpt_addr}\0b@example.net\0",
        b"\0\0\0\x11R<b@example.net>\0",
    ),
    "data": (b"\0\0\0\x0dDTi\x000123abcd\0", b"\0\0\0\1T"),
    "header": (b"", b"\0\0\0\x12LSubject\0 hi\n\tyou\0"),
    "eoh": (b"\0\0\0\x0dDNi\x000123abcd\0", b"\0\0\0\1N"),
    "body": (b"", b"\0\0\0\4B.\r\n"),
    "eom": (b"\0\0\0\x0dDEi\x000123abcd\0", b"\0\0\0\1E"),
}
"""The bytes of macros, and those of the command."""


def lead(session: MilterSession, *steps: str) -> list[bytes]:
    return [replied(session, STEPS[step](session)) for step in steps]


def upto(step: str) -> list[str]:
    return list(STEPS)[: list(STEPS).index(step)]


def at(step: str, steps: int = 0) -> MilterSession:
    """Return a session at which the reply to a step is due."""
    session = negotiated(steps=steps)
    lead(session, *upto(step))
    assert STEPS[step](session).due
    return session


# --- steps ---------------------------------------------------------------------------------------


def test_a_message_on_the_wire() -> None:
    session = MilterSession()
    assert session.negotiate() == (packet(b"O", b"\0\0\0\6\0\0\x01\xff\0\x1f\xff\xff"), True)
    assert session.due
    (options,) = hear(session, answer(6, 0x1FF, 0))
    assert options == session.options
    assert lead(session, *STEPS) == [macros + command for macros, command in WIRE.values()]
    assert session.quit() == b"\0\0\0\1Q"


@pytest.mark.parametrize(
    ("step", "unwanted", "silent"),
    [
        ("connect", 0x1, 0x1000),
        ("helo", 0x2, 0x2000),
        ("mail", 0x4, 0x4000),
        ("rcpt", 0x8, 0x8000),
        ("data", 0x200, 0x10000),
        ("header", 0x20, 0x80),
        ("eoh", 0x40, 0x40000),
        ("body", 0x10, 0x80000),
    ],
)
def test_steps_that_are_unwanted_or_silent(step: str, unwanted: int, silent: int) -> None:
    macros, command = WIRE[step]
    session = negotiated(steps=unwanted)
    lead(session, *upto(step))
    assert STEPS[step](session) == (macros, False)
    session = negotiated(steps=silent)
    lead(session, *upto(step))
    assert STEPS[step](session) == (macros + command, False)
    assert not session.due
    with pytest.raises(ProtocolError, match="nobody asked for"):
        hear(session, packet(b"c"))


def test_a_milter_that_wants_nothing_but_the_end() -> None:
    session = negotiated(steps=0x1FFFFF)
    assert lead(session, *STEPS) == [
        macros + (command if step == "eom" else b"") for step, (macros, command) in WIRE.items()
    ]


def test_version_2_has_no_data() -> None:
    session = negotiated(version=2)
    lead(session, *upto("data"))
    assert STEPS["data"](session) == (WIRE["data"][0], False)


@pytest.mark.parametrize(
    ("value", "with_space", "without"),
    [
        (b" a", b" a", b"a"),
        (b"  a", b"  a", b" a"),
        (b"\ta", b"\ta", b"\ta"),
        (b"a", b"a", b"a"),
        (b"", b"", b""),
        (b" ", b" ", b""),
        (b"\n a", b"\n a", b"\n a"),
    ],
)
def test_the_space_behind_the_colon(value: bytes, with_space: bytes, without: bytes) -> None:
    for steps, expected in ((0x100000, with_space), (0, without)):
        session = negotiated(steps=steps)
        lead(session, *upto("header"))
        assert session.header(b"X", value).data == packet(b"L", b"X\0" + expected + b"\0")


def test_helo_may_come_again_and_messages_follow_each_other() -> None:
    session = negotiated()
    lead(session, "connect", "helo", "helo")
    for _ in range(2):
        lead(session, *list(STEPS)[2:])
    lead(session, "helo", "mail", "rcpt", "rcpt", "data", "eoh", "eom")


@pytest.mark.parametrize("step", STEPS)
def test_steps_out_of_order(step: str) -> None:
    """Each step is tried at each place: it goes through where it belongs, and nowhere else."""
    follows = {
        "connect": {"negotiate"},
        "helo": {"connect", "helo", "eom"},
        "mail": {"connect", "helo", "eom"},
        "rcpt": {"mail", "rcpt"},
        "data": {"rcpt"},
        "header": {"data", "header"},
        "eoh": {"data", "header"},
        "body": {"eoh", "body"},
        "eom": {"eoh", "body"},
    }[step]
    for last in ("negotiate", *STEPS):
        session = negotiated()
        if last != "negotiate":
            lead(session, *upto(last), last)
        if last in follows:
            lead(session, step)
        else:
            with pytest.raises(LocalError, match=f"{step.upper()} to a milter after"):
                STEPS[step](session)


@pytest.mark.parametrize("step", STEPS)
def test_no_step_before_the_negotiation_or_while_a_reply_is_due(step: str) -> None:
    session = MilterSession()
    with pytest.raises(LocalError):
        STEPS[step](session)
    session.negotiate()
    with pytest.raises(LocalError, match="whose reply is due"):
        STEPS[step](session)
    with pytest.raises(LocalError, match="nothing is negotiated"):
        assert session.options
    with pytest.raises(LocalError, match="begun before"):
        session.negotiate()
    with pytest.raises(LocalError, match="whose reply is due"):
        STEPS[step](at(step))


def test_a_body_has_pieces_of_65535_bytes() -> None:
    session = negotiated()
    lead(session, *upto("body"))
    with pytest.raises(LocalError, match="65536 bytes"):
        session.body(b"x" * 65_536)


def test_content_may_take_longer() -> None:
    session = negotiated()
    found = {}
    for step, take in STEPS.items():
        take(session)
        found[step] = session.content
        hear(session, packet(b"c"))
    assert [step for step in found if found[step]] == ["header", "eoh", "body", "eom"]
    assert not session.content


# --- replies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", STEPS)
def test_progress_comes_before_the_reply(step: str, size: int) -> None:
    session = at(step)
    assert hear(session, packet(b"p") * 2, size) == [PlainReply.PROGRESS] * 2
    assert session.due
    assert hear(session, packet(b"p") + packet(b"c"), size) == [
        *(PlainReply.PROGRESS, PlainReply.CONTINUE)
    ]
    assert not session.due


VERDICTS: dict[str, tuple[bytes, MilterReply]] = {
    "accept": (packet(b"a"), PlainReply.ACCEPT),
    "discard": (packet(b"d"), PlainReply.DISCARD),
    "reject": (packet(b"r"), PlainReply.REJECT),
    "tempfail": (packet(b"t"), PlainReply.TEMPFAIL),
    "code": (packet(b"y", b"451 4.7.1 Later\0"), ReplyCode(451, "4.7.1 Later")),
}


@pytest.mark.parametrize("step", ["connect", "helo"])
def test_no_session_is_discarded(step: str) -> None:
    with pytest.raises(ProtocolError, match=f"discards a message at {step.upper()}"):
        hear(at(step), packet(b"d"))


@pytest.mark.parametrize("verdict", sorted(VERDICTS.keys() - {"discard"}))
@pytest.mark.parametrize("step", ["connect", "helo"])
def test_verdicts_on_the_session(step: str, verdict: str) -> None:
    session = at(step)
    data, reply = VERDICTS[verdict]
    assert hear(session, data) == [reply]
    assert session.over
    assert session.passed
    for each in STEPS.values():
        assert each(session) == NOTHING
    assert session.abort() == b""
    assert session.over
    assert session.quit() == b"\0\0\0\1Q"


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("step", ["mail", "data", "header", "eoh", "body", "eom"])
def test_verdicts_on_the_message(step: str, verdict: str) -> None:
    session = at(step)
    data, reply = VERDICTS[verdict]
    assert hear(session, data) == [reply]
    assert session.passed
    assert not session.over
    for name, each in list(STEPS.items())[3:]:
        assert each(session) == NOTHING, name
    assert session.abort() == b""
    assert not session.passed
    lead(session, "mail", "rcpt")
    assert not session.passed


@pytest.mark.parametrize("verdict", ["reject", "tempfail", "code"])
def test_verdicts_on_a_recipient(verdict: str) -> None:
    session = at("rcpt")
    assert hear(session, VERDICTS[verdict][0]) == [VERDICTS[verdict][1]]
    assert not session.passed
    lead(session, *list(STEPS)[3:])


@pytest.mark.parametrize("verdict", ["accept", "discard"])
def test_verdicts_at_a_recipient_on_the_message(verdict: str) -> None:
    session = at("rcpt")
    hear(session, VERDICTS[verdict][0])
    assert session.passed
    assert STEPS["rcpt"](session) == NOTHING
    assert STEPS["eom"](session) == NOTHING


@pytest.mark.parametrize(("letter", "name"), [(b"f", "CONN_FAIL"), (b"4", "SHUTDOWN")])
@pytest.mark.parametrize("step", STEPS)
def test_the_client_is_to_be_disconnected(step: str, letter: bytes, name: str) -> None:
    session = at(step)
    assert hear(session, packet(letter)) == [PlainReply[name]]
    assert session.over


def test_skip_ends_the_pieces_of_one_body() -> None:
    session = at("body")
    assert hear(session, packet(b"s")) == [PlainReply.SKIP]
    assert not session.passed
    assert STEPS["body"](session) == NOTHING
    assert lead(session, "eom", *list(STEPS)[2:])[-2:] == [
        *(WIRE["body"][1], b"".join(WIRE["eom"]))
    ]


def test_skip_ends_the_fields_of_one_header() -> None:
    session = at("header")
    hear(session, packet(b"s"))
    assert STEPS["header"](session) == NOTHING
    assert (
        lead(session, "eoh", "body", "eom", "mail", "rcpt", "data", "header")[-1]
        == (WIRE["header"][1])
    )


@pytest.mark.parametrize("step", sorted(STEPS.keys() - {"header", "body"}))
def test_skip_elsewhere(step: str) -> None:
    with pytest.raises(ProtocolError, match=f"the milter skips {step.upper()}"):
        hear(at(step), packet(b"s"))


# --- modifications -------------------------------------------------------------------------------

MODIFICATIONS = {
    b"h": (0x1, b"X\0y\0"),
    b"i": (0x1, b"\0\0\0\0X\0y\0"),
    b"m": (0x10, b"\0\0\0\1X\0y\0"),
    b"b": (0x2, b"y"),
    b"+": (0x4, b"<a@b>\0"),
    b"2": (0x80, b"<a@b>\0"),
    b"-": (0x8, b"<a@b>\0"),
    b"e": (0x40, b"<a@b>\0"),
    b"q": (0x20, b"y\0"),
}


@pytest.mark.parametrize("size", SIZES)
def test_modifications_and_a_verdict(size: int) -> None:
    session = at("eom")
    data = (
        packet(b"h", b"X\0y\0")
        + packet(b"p")
        + packet(b"b", b"a")
        + packet(b"b", b"")
        + packet(b"2", b"<a@b>\0C\0")
        + packet(b"q", b"why\0")
    )
    assert hear(session, data, size) == [
        AddHeader(b"X", b"y"),
        PlainReply.PROGRESS,
        ReplaceBody(b"a"),
        ReplaceBody(b""),
        AddRecipient(b"a@b", b"C"),
        QuarantineMail("why"),
    ]
    assert session.due
    assert hear(session, packet(b"c"), size) == [PlainReply.CONTINUE]
    assert not session.due
    assert not session.passed


@pytest.mark.parametrize("letter", MODIFICATIONS)
def test_modifications_need_their_action(letter: bytes) -> None:
    action, data = MODIFICATIONS[letter]
    session = at_eom(negotiated(actions=action))
    assert len(hear(session, packet(letter, data))) == 1
    session = at_eom(negotiated(actions=0x1FF ^ action))
    with pytest.raises(ProtocolError, match="a modification from the milter without"):
        hear(session, packet(letter, data))
    assert session.over


@pytest.mark.parametrize("letter", MODIFICATIONS)
@pytest.mark.parametrize("step", sorted(STEPS.keys() - {"eom"}))
def test_modifications_elsewhere(step: str, letter: bytes) -> None:
    with pytest.raises(ProtocolError, match=f"a modification from the milter at {step.upper()}"):
        hear(at(step), packet(letter, MODIFICATIONS[letter][1]))


def test_modifications_of_each_message_are_bounded() -> None:
    session = MilterSession(modified_max=1000)
    session.negotiate()
    hear(session, answer(6, 0x1FF, 0))
    lead(session, "connect", "helo")
    for _ in range(3):
        lead(session, *list(STEPS)[2:8])
        STEPS["eom"](session)
        hear(session, packet(b"b", b"x" * 300) + packet(b"b") * 6 + packet(b"c"))
    lead(session, *list(STEPS)[2:8])
    STEPS["eom"](session)
    with pytest.raises(ProtocolError, match="too many modifications"):
        hear(session, packet(b"b", b"x" * 301) + packet(b"b") * 6)


@pytest.mark.parametrize(
    ("letter", "data", "most"),
    [
        (b"h", b"A\0b\0", 200),
        (b"i", b"\0\0\0\1A\0b\0", 200),
        (b"m", b"\0\0\0\1A\0\0", 10_000),
    ],
)
def test_modifications_of_a_header_are_bounded(letter: bytes, data: bytes, most: int) -> None:
    """A client may send as many fields of a name as a header can have, and a milter remove all."""
    session = at_eom(negotiated(actions=0x1FF))
    assert len(list(session.receive(packet(letter, data) * most))) == most
    with pytest.raises(ProtocolError, match="too many modifications"):
        hear(session, packet(letter, data))


# --- garbage -------------------------------------------------------------------------------------

GARBAGE = {
    "empty frame": b"\0\0\0\0",
    "long frame": b"\x7f\xff\xff\xffc",
    "text": b"220 mx.example.net ESMTP\r\n",
    "unknown letter": packet(b"?"),
    "macros": packet(b"D", b"Cj\0x\0"),
    "data": packet(b"c", b"x"),
    "negotiation": answer(6, 0, 0),
    "code": packet(b"y", b"250 2.0.0 Ok\0"),
    "list of macros": packet(b"l", b"\0\0\0\0j\0"),
    "twice": packet(b"c") * 2,
    "progress behind": packet(b"c") + packet(b"p"),
    "verdict behind a verdict": packet(b"r") + packet(b"a"),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage(step: str, garbage: str, size: int) -> None:
    session = at(step)
    with pytest.raises(ProtocolError):
        hear(session, GARBAGE[garbage], size)
    assert session.over
    assert not session.due
    with pytest.raises((LocalError, ProtocolError)):
        STEPS["mail"](session)
    assert session.abort() == b""
    assert session.quit() == b""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "data", [packet(b"c"), packet(b"p"), answer(1, 0, 0), answer(6, 0, 1 << 31), packet(b"O")]
)
def test_garbage_for_a_negotiation(data: bytes, size: int) -> None:
    session = MilterSession()
    session.negotiate()
    with pytest.raises(ProtocolError):
        hear(session, data, size)
    assert session.over


@pytest.mark.parametrize("data", [b"\0", packet(b"c")])
def test_what_nobody_asked_for_is_no_reply_to_the_next_step(data: bytes) -> None:
    session = at("connect")
    assert next(session.receive(packet(b"c") + data)) is PlainReply.CONTINUE
    with pytest.raises(ProtocolError, match="said something that nobody asked for"):
        STEPS["helo"](session)
    assert session.over


def test_the_next_step_may_follow_while_replies_are_read() -> None:
    session = at("connect")
    for _ in session.receive(packet(b"c")):
        assert STEPS["helo"](session).due


def test_replies_before_the_first_step() -> None:
    with pytest.raises(ProtocolError, match="nobody asked for"):
        hear(MilterSession(), packet(b"c"))


# --- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_abort(step: str) -> None:
    session = negotiated()
    lead(session, *upto(step))
    in_message = step not in ("connect", "helo", "mail")
    assert session.abort() == (b"\0\0\0\1A" if in_message else b"")
    assert session.abort() == b""
    if in_message:
        lead(session, *list(STEPS)[1:])
        assert session.abort() == b""


@pytest.mark.parametrize("step", STEPS)
def test_while_a_reply_is_due_there_is_quit_alone(step: str) -> None:
    session = at(step)
    with pytest.raises(LocalError, match="while the milter's reply is due"):
        session.abort()
    assert session.quit() == b"\0\0\0\1Q"
    assert not session.due
    assert session.over
    assert session.quit() == b""
    assert session.abort() == b""
    with pytest.raises(LocalError, match="after CLOSED"):
        STEPS[step](session)


def test_quit_before_anything() -> None:
    assert MilterSession().quit() == b""
    session = MilterSession()
    session.negotiate()
    assert session.quit() == b"\0\0\0\1Q"
