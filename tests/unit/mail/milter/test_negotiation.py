"""The offer, the answers of milters, and the macros that follow from them."""

import pytest

from opensmtpd.errors import ProtocolError
from opensmtpd.mail.milter.commands import Command
from opensmtpd.mail.milter.negotiation import (
    OFFER,
    MilterActions,
    MilterSteps,
    Negotiated,
    Stage,
    read_answer,
)


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(4) for value in values)


def test_the_offer_is_all_of_version_6() -> None:
    assert OFFER == b"\0\0\0\6\0\0\x01\xff\0\x1f\xff\xff"


def test_an_answer() -> None:
    assert read_answer(numbers(6, 0x111, 0x100702)) == Negotiated(
        6,
        MilterActions.ADDHDRS | MilterActions.CHGHDRS | MilterActions.SETSYMLIST,
        MilterSteps.NOHELO
        | MilterSteps.NOUNKNOWN
        | MilterSteps.NODATA
        | MilterSteps.SKIP
        | MilterSteps.HDR_LEADSPC,
        {},
    )


@pytest.mark.parametrize(
    ("version", "steps"),
    [
        (2, MilterSteps.NOUNKNOWN | MilterSteps.NODATA),
        (3, MilterSteps.NODATA),
        (4, MilterSteps(0)),
        (5, MilterSteps(0)),
        (6, MilterSteps(0)),
    ],
)
def test_old_versions_lack_steps(version: int, steps: MilterSteps) -> None:
    found = read_answer(numbers(version, 0, 0))
    assert (found.version, found.steps) == (version, steps)
    assert found.wants(Command.DATA) is (version >= 4)
    assert not found.leading_space


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a negotiation of 0 bytes"),
        (numbers(6, 0, 0)[:-1], "a negotiation of 11 bytes"),
        (numbers(0, 0, 0), "version 0, not 2 to 6"),
        (numbers(1, 0, 0), "version 1, not 2 to 6"),
        (numbers(7, 0, 0), "version 7, not 2 to 6"),
        (numbers(0x06000000, 0, 0), "version 100663296"),
        (numbers(6, 0x200, 0), "actions that do not exist: 0x200"),
        (numbers(6, 0xFFFFFFFF, 0), "actions that do not exist: 0xfffffe00"),
        (numbers(6, 0, 0x200000), "steps that do not exist: 0x200000"),
        (numbers(6, 0, 0x10000001), "steps that do not exist: 0x10000000"),
        (numbers(6, 0, 0, 0) + b"j", "names of macros from the milter that do not end"),
        (numbers(6, 0, 0) + b"\0", "names of macros from the milter that do not end"),
        (numbers(6, 0, 0, 0) + b"j\0\0\0\0", "names of macros from the milter that do not end"),
    ],
)
def test_nonsense(data: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read_answer(data)


def test_names_of_macros() -> None:
    data = (
        numbers(6, 0x100, 0)
        + numbers(Stage.ENVFROM)
        + b"i, {auth_authen} $mail_addr\t{i},{x}\0"
        + numbers(Stage.CONNECT)
        + b"\0"
        + numbers(Stage.EOH)
        + b"j\0"
        + numbers(Stage.EOH)
        + b"\xff,v\0"
        + numbers(7)
        + b"j\0"
        + numbers(0x0A0A0A0A)
        + b"j\0"
    )
    assert read_answer(data).macros == {
        Stage.ENVFROM: ("i", "{auth_authen}", "{mail_addr}", "x"),
        Stage.CONNECT: (),
        Stage.EOH: ("\N{REPLACEMENT CHARACTER}", "v"),
    }


@pytest.mark.parametrize(
    ("command", "bit"),
    [
        (Command.CONNECT, 0x01),
        (Command.HELO, 0x02),
        (Command.MAIL, 0x04),
        (Command.RCPT, 0x08),
        (Command.BODY, 0x10),
        (Command.HEADER, 0x20),
        (Command.EOH, 0x40),
        (Command.DATA, 0x200),
    ],
)
def test_unwanted(command: Command, bit: int) -> None:
    assert not read_answer(numbers(6, 0, bit)).wants(command)
    assert read_answer(numbers(6, 0, 0x1FFFFF ^ bit)).wants(command)
    assert read_answer(numbers(6, 0, bit)).replies(command)


@pytest.mark.parametrize(
    ("command", "bit"),
    [
        (Command.HEADER, 0x80),
        (Command.CONNECT, 0x1000),
        (Command.HELO, 0x2000),
        (Command.MAIL, 0x4000),
        (Command.RCPT, 0x8000),
        (Command.DATA, 0x10000),
        (Command.EOH, 0x40000),
        (Command.BODY, 0x80000),
    ],
)
def test_no_reply(command: Command, bit: int) -> None:
    assert not read_answer(numbers(6, 0, bit)).replies(command)
    assert read_answer(numbers(6, 0, 0x1FFFFF ^ bit)).replies(command)
    assert read_answer(numbers(6, 0, bit)).wants(command)


def test_the_end_of_a_message_is_always_wanted() -> None:
    answer = read_answer(numbers(6, 0, 0x1FFFFF))
    assert answer.wants(Command.EOM)
    assert answer.replies(Command.EOM)


KNOWN = {"i": b"0123abcd", "j": b"mx.exa\0mple", "{mail_addr}": b"", "{xx}": b"no"}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Command.CONNECT, b"Cj\0mx.example\0"),
        (Command.HELO, b""),
        (Command.MAIL, b"Mi\x000123abcd\0{mail_addr}\0\0"),
        (Command.RCPT, b"Ri\x000123abcd\0"),
        (Command.DATA, b"Ti\x000123abcd\0"),
        (Command.HEADER, b""),
        (Command.EOH, b"Ni\x000123abcd\0"),
        (Command.BODY, b""),
        (Command.EOM, b"Ei\x000123abcd\0"),
    ],
)
def test_macros_of_their_own_accord(command: Command, expected: bytes) -> None:
    assert read_answer(numbers(6, 0, 0)).macro_data(command, KNOWN) == expected


def test_only_those_that_the_milter_named() -> None:
    symbols = numbers(Stage.CONNECT) + b"\0" + numbers(Stage.EOM) + b"{xx} j {yy}\0"
    answer = read_answer(numbers(6, 0x100, 0) + symbols)
    assert answer.macro_data(Command.CONNECT, KNOWN) == b""
    assert answer.macro_data(Command.EOM, KNOWN) == b"E{xx}\0no\0j\0mx.example\0"
    assert answer.macro_data(Command.RCPT, KNOWN) == b"Ri\x000123abcd\0"


def test_no_answer_is_kept() -> None:
    """A milter may answer otherwise each time: flags would be kept, in each combination."""
    read_answer(numbers(6, 0, 0))
    before = len(MilterSteps._value2member_map_)
    for steps in range(0, 0x1FFFFF, 1999):
        found = read_answer(numbers(2, 0, steps))
        assert found.steps == steps | 0x300  # NOUNKNOWN, NODATA
        for command in Command:
            assert found.wants(command) in (True, False)
            assert found.replies(command) in (True, False)
        assert found.leading_space in (True, False)
    assert len(MilterSteps._value2member_map_) < before + 30
