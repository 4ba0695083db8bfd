"""The milters of one client, one after another."""

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import pytest

from opensmtpd.mail.milter.outcome import MailEdits, MilterFate, MilterOutcome
from opensmtpd.mail.milter.process.chain import MilterChain
from opensmtpd.mail.milter.process.connection import Timeouts
from opensmtpd.mail.place import place
from unit.support.scripted_milter import (
    ACCEPT,
    CONN_FAIL,
    CONTINUE,
    DISCARD,
    REJECT,
    SHUTDOWN,
    SKIP,
    STAGES,
    TEMPFAIL,
    Last,
    ScriptedMilter,
    added,
    body,
    changed,
    inserted,
    large,
    said,
    strings,
)

MANY = 60.0
FEW = 0.2
GOES_ON = MilterOutcome(MilterFate.GOES_ON)
ENOUGH = MilterOutcome(MilterFate.GOES_ON, wanted=False)
FIELDS = [(b"From", b" a@example.org"), (b"Subject", b"hello\n\tyou"), (b"X", b"  two")]
NOTHING = MailEdits([], [], [], None, [], [])
CLOSED = "it has closed the connection"


def chain(*milters: ScriptedMilter, opens: bool = False) -> MilterChain:
    places = [place(each.place) for each in milters]
    return MilterChain(places, Timeouts(MANY, MANY, MANY), opens=opens)


def done(made: MilterChain, act: Callable[[MilterChain], Coroutine[Any, Any, None]]) -> None:
    """Have a test of a chain, and close it."""

    async def run() -> None:
        try:
            await act(made)
        finally:
            made.close()

    asyncio.run(run())


async def greet(made: MilterChain) -> MilterOutcome:
    outcome = await made.connect(b"client.example", "192.0.2.5", 40721, {})
    if outcome.fate is MilterFate.GOES_ON:
        outcome = await made.helo(b"client.example", {})
    return outcome


async def envelope(made: MilterChain) -> MilterOutcome:
    """Go to where the content begins, or to the first outcome that is none of GOES_ON."""
    steps: list[Callable[[], Coroutine[Any, Any, MilterOutcome]]] = [
        lambda: greet(made),
        lambda: made.mail(b"a@example.org", {}),
        lambda: made.rcpt(b"b@example.net", {}),
        lambda: made.data({}),
    ]
    outcome = GOES_ON
    for step in steps:
        if outcome.fate is MilterFate.GOES_ON:
            outcome = await step()
    return outcome


async def content(made: MilterChain, index: int, *parts: bytes) -> MilterOutcome:
    """Show the content to one milter."""
    outcome = await made.content(index, {})
    for part in parts:
        if outcome.fate is MilterFate.GOES_ON and outcome.wanted:
            outcome = await made.body(index, part)
    return await made.eom(index, {}) if outcome.fate is MilterFate.GOES_ON else outcome


async def message(made: MilterChain, count: int, *parts: bytes, own: int = 1) -> MilterOutcome:
    """Have a whole message judged by ``count`` milters."""
    outcome = await envelope(made)
    made.fields(FIELDS, own, last=True)
    for index in range(count):
        if outcome.fate is MilterFate.GOES_ON:
            outcome = await content(made, index, *parts)
    return outcome


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", [b"O", b"C", b"H", b"M", b"R", b"T"])
def test_the_time_that_smtpd_waits(letter: bytes) -> None:
    """It is shorter than those of the milters' replies."""

    async def act(made: MilterChain) -> None:
        made.begin(monotonic() + FEW)
        outcome = await envelope(made)
        assert (outcome.fate, outcome.lost) == (
            MilterFate.FAILED,
            ((0, "it does not answer in time"),),
        )

    with ScriptedMilter({letter: b""}) as milter:
        done(chain(milter), act)


def test_the_time_of_the_steps_that_one_question_takes() -> None:
    """A chain that is begun for a message has no more for all of them than another for one."""

    async def act(made: MilterChain) -> None:
        until = monotonic() + FEW
        made.begin(until)
        assert await greet(made) == GOES_ON
        await asyncio.sleep(FEW)
        made.begin(until)
        assert (await made.mail(b"a@example.org", {})).fate is MilterFate.FAILED

    with ScriptedMilter({b"M": b""}) as milter:
        done(chain(milter), act)


def test_another_question_has_a_time_of_its_own() -> None:
    async def act(made: MilterChain) -> None:
        made.begin(monotonic() + FEW)
        assert await greet(made) == GOES_ON
        await asyncio.sleep(FEW)
        made.begin(monotonic() + MANY)
        assert await made.mail(b"a@example.org", {}) == GOES_ON

    with ScriptedMilter() as milter:
        done(chain(milter), act)


# --- verdicts -------------------------------------------------------------------------------------


def test_a_message_through_two() -> None:
    async def act(made: MilterChain) -> None:
        assert await made.connect(b"c.example", "2001:db8::5", 25, {}) == GOES_ON
        assert await made.helo(b"client.example", {"{cipher}": b"X"}) == GOES_ON
        for _ in range(2):
            assert await made.mail(b"a@example.org", {"i": b"1"}) == GOES_ON
            assert await made.rcpt(b"b@example.net", {}) == GOES_ON
            assert await made.data({}) == GOES_ON
            made.fields(FIELDS[:1], 1, last=False)
            made.fields(FIELDS[1:], 1, last=True)
            for index in range(2):
                assert await made.content(index, {}) == GOES_ON
                assert await made.body(index, b"a\n") == GOES_ON
                assert await made.body(index, b".\n\n") == GOES_ON
                assert await made.eom(index, {}) == GOES_ON
            assert made.edits() == NOTHING

    with ScriptedMilter() as first, ScriptedMilter() as second:
        done(chain(first, second), act)
        for each in (first, second):
            each.gone()
            assert each.letters() == b"OCH" + b"MRTLLLNBBE" * 2 + b"Q"
            assert each.data(b"C") == [b"c.example\x006\0\x192001:db8::5\0"]
            assert each.fields()[:3] == [b"From:a@example.org", b"Subject:hello\n\tyou", b"X: two"]
            assert each.body() == b"a\r\n.\r\n\r\n" * 2
            assert each.macros(b"H") == [{b"{cipher}": b"X"}]
            assert each.macros(b"M") == [{b"i": b"1"}] * 2


REFUSALS = [
    (REJECT, 550, "5.7.1 Command rejected"),
    (TEMPFAIL, 451, "4.7.1 Service unavailable, try again later"),
    (CONN_FAIL, 421, "4.7.1 Service unavailable, try again later"),
    (SHUTDOWN, 421, "4.7.1 Service unavailable, try again later"),
    (said(b"554 5.7.9 Go away"), 554, "5.7.9 Go away"),
    (said(b"421 4.3.0 Later"), 421, "4.3.0 Later"),
]


@pytest.mark.parametrize(("step", "letter"), STAGES.items())
class TestAt:
    """At each stage."""

    @pytest.mark.parametrize(("reply", "code", "text"), REFUSALS)
    @pytest.mark.parametrize("index", [0, 1])
    def test_a_refusal(
        self, step: str, letter: bytes, reply: bytes, code: int, text: str, index: int
    ) -> None:
        async def act(made: MilterChain) -> None:
            outcome = await message(made, 2, b"text\n")
            assert outcome == MilterOutcome(MilterFate.REFUSED, code, text, index)

        with ScriptedMilter() as first, ScriptedMilter() as second:
            (first, second)[index].replies[letter] = reply
            done(chain(first, second), act)
            second.gone()
        if index == 0:  # the other one was not asked
            assert letter not in second.letters()

    def test_accept(self, step: str, letter: bytes) -> None:
        """The second one is asked still."""

        async def act(made: MilterChain) -> None:
            assert await message(made, 2, b"text\n") == GOES_ON

        with ScriptedMilter({letter: ACCEPT}) as first, ScriptedMilter() as second:
            done(chain(first, second), act)
            second.gone()
            first.gone()
        before = b"OCHMRTLLLNBE".partition(letter)[0]
        assert first.letters() == before + letter + b"Q"
        assert second.letters() == b"OCHMRTLLLNBEQ"

    @pytest.mark.parametrize("opens", [False, True])
    def test_discard(self, step: str, letter: bytes, opens: bool) -> None:
        """The other milters see the message still. Of a session it is nonsense, as for Postfix."""

        async def act(made: MilterChain) -> None:
            outcome = await message(made, 3, b"text\n")
            if step not in ("connect", "helo"):
                assert outcome == MilterOutcome(MilterFate.GOES_ON, discarded=True)
                return
            assert outcome.fate is (MilterFate.GOES_ON if opens else MilterFate.FAILED)
            if not opens:
                why = f"the milter discards a message at {step.upper()}"
                assert outcome == MilterOutcome(MilterFate.FAILED, milter=1, lost=((1, why),))

        with ScriptedMilter() as first, ScriptedMilter({letter: DISCARD}) as second:
            with ScriptedMilter() as third:
                done(chain(first, second, third, opens=opens), act)
                third.gone()
            if step not in ("connect", "helo"):
                assert third.letters() == b"OCHMRTLLLNBEQ"

    def test_a_loss(self, step: str, letter: bytes) -> None:
        async def act(made: MilterChain) -> None:
            outcome = await message(made, 2, b"text\n")
            assert outcome == MilterOutcome(MilterFate.FAILED, milter=0, lost=((0, CLOSED),))

        with ScriptedMilter({letter: Last()}) as first, ScriptedMilter() as second:
            done(chain(first, second), act)

    def test_a_loss_that_is_no_failure(self, step: str, letter: bytes) -> None:
        lost: list[tuple[int, str]] = []

        async def act(made: MilterChain) -> None:
            steps: list[Callable[[], Coroutine[Any, Any, MilterOutcome]]] = [
                lambda: made.connect(b"c", "192.0.2.5", 25, {}),
                lambda: made.helo(b"c", {}),
                lambda: made.mail(b"", {}),
                lambda: made.rcpt(b"b@example.net", {}),
                lambda: made.data({}),
                *[each for index in (0, 1) for each in (
                    lambda index=index: made.content(index, {}),
                    lambda index=index: made.body(index, b"text\n"),
                    lambda index=index: made.eom(index, {}),
                )],
            ]  # fmt: skip
            for each in steps:
                if each is steps[5]:
                    made.fields(FIELDS, 1, last=True)
                outcome = await each()
                assert outcome.fate is MilterFate.GOES_ON
                lost.extend(outcome.lost)
            edits = made.edits()
            assert edits.inserted == [[3, b"X-Second", b" 2"]]

        last = Last(added(b"X-First", b"1") if step == "eom" else b"")
        second_replies = {b"E": added(b"X-Second", b"2") + CONTINUE}
        with ScriptedMilter({letter: last}) as first, ScriptedMilter(second_replies) as second:
            done(chain(first, second, opens=True), act)
            second.gone()
        assert lost == [(0, CLOSED)]
        assert second.letters() == b"OCHMRTLLLNBEQ"


def test_all_are_connected_to_at_once() -> None:
    """One that is away costs no message of another one, and each is named."""

    async def act(made: MilterChain) -> None:
        outcome = await greet(made)
        assert outcome.fate is MilterFate.FAILED
        assert outcome.lost[0] == (0, "Connection refused")

    with ScriptedMilter() as first, ScriptedMilter() as second:
        first.close()
        done(chain(first, second), act)
        second.gone()
    assert second.letters() == b"OQ"


def test_all_are_lost_and_that_is_no_failure() -> None:
    async def act(made: MilterChain) -> None:
        outcome = await made.connect(b"c", "192.0.2.5", 25, {})
        lost = ((0, "Connection refused"), (1, "Connection refused"))
        assert outcome == MilterOutcome(MilterFate.GOES_ON, wanted=False, lost=lost)
        assert await made.helo(b"c", {}) == ENOUGH
        assert await made.mail(b"", {}) == ENOUGH
        made.fields(FIELDS, 1, last=True)
        assert await made.content(0, {}) == ENOUGH
        assert await made.eom(1, {}) == GOES_ON
        assert made.edits() == NOTHING

    with ScriptedMilter() as first, ScriptedMilter() as second:
        first.close()
        second.close()
        done(chain(first, second, opens=True), act)


@pytest.mark.parametrize("letter", [b"C", b"H"])
def test_a_session_that_nobody_wants(letter: bytes) -> None:
    async def act(made: MilterChain) -> None:
        assert await greet(made) == ENOUGH
        assert await made.mail(b"", {}) == ENOUGH

    with ScriptedMilter({letter: ACCEPT}) as first, ScriptedMilter({letter: ACCEPT}) as second:
        done(chain(first, second), act)


@pytest.mark.parametrize("letter", [b"M", b"R", b"T"])
def test_a_message_that_nobody_wants(letter: bytes) -> None:
    async def act(made: MilterChain) -> None:
        assert await greet(made) == GOES_ON
        assert await made.mail(b"", {}) == (ENOUGH if letter == b"M" else GOES_ON)
        assert await made.rcpt(b"b", {}) == (GOES_ON if letter == b"T" else ENOUGH)
        assert await made.data({}) == ENOUGH
        assert await made.mail(b"", {}) == (ENOUGH if letter == b"M" else GOES_ON)

    with ScriptedMilter({letter: ACCEPT}) as first, ScriptedMilter({letter: ACCEPT}) as second:
        done(chain(first, second), act)
        first.gone()
    assert first.letters().count(b"M") == 2


def test_a_refused_recipient_is_not_the_end() -> None:
    async def act(made: MilterChain) -> None:
        assert await greet(made) == GOES_ON
        assert await made.mail(b"", {}) == GOES_ON
        assert (await made.rcpt(b"no", {})).fate is MilterFate.REFUSED
        assert await made.rcpt(b"yes", {}) == GOES_ON
        assert await made.data({}) == GOES_ON
        made.fields(FIELDS, 1, last=True)
        assert await content(made, 0, b"x\n") == GOES_ON

    with ScriptedMilter() as milter:
        milter.replies[b"R"] = lambda heard: REJECT if heard.data == b"<no>\0" else CONTINUE
        done(chain(milter), act)


# --- the message ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("letter", "heard"), [(b"L", b"OCHMRTLNBBE"), (b"B", b"OCHMRTLLLNBE")])
def test_skip(letter: bytes, heard: bytes) -> None:
    async def act(made: MilterChain) -> None:
        assert await envelope(made) == GOES_ON
        made.fields(FIELDS, 1, last=True)
        assert await made.content(0, {}) == GOES_ON
        assert await made.body(0, b"a\n") == (ENOUGH if letter == b"B" else GOES_ON)
        assert await made.body(0, b"b\n") == (ENOUGH if letter == b"B" else GOES_ON)
        assert await made.eom(0, {}) == GOES_ON

    with ScriptedMilter({letter: SKIP}) as milter:
        done(chain(milter), act)
        milter.gone()
    assert milter.letters() == heard + b"Q"


def test_the_body_is_not_wanted() -> None:
    async def act(made: MilterChain) -> None:
        await envelope(made)
        made.fields(FIELDS, 1, last=True)
        assert await made.content(0, {}) == ENOUGH
        assert await made.eom(0, {}) == GOES_ON

    with ScriptedMilter(steps=0x10) as milter:
        done(chain(milter), act)
        milter.gone()
    assert milter.letters() == b"OCHMRTLLLNEQ"


def test_a_body_in_frames() -> None:
    lines = b"x" * 65_533 + b"\n" + b"y" * 65_534 + b"\nz\n"

    async def act(made: MilterChain) -> None:
        assert await message(made, 1, lines) == GOES_ON

    with ScriptedMilter() as milter:
        done(chain(milter), act)
    parts = milter.data(b"B")
    assert list(map(len, parts)) == [65_535, 65_535, 4]
    assert b"".join(parts) == lines.replace(b"\n", b"\r\n")


def test_the_second_sees_what_the_first_has_changed() -> None:
    edits = (
        added(b"X-Added", b"1") + inserted(0, b"X-First", b"2") + inserted(1, b"X-Second", b"3")
        + inserted(2, b"X-Third", b"4") + changed(1, b"subject", b"new\r\n\tsubject")
        + changed(1, b"X", b"") + body(b"new\r\nbody") + CONTINUE
    )  # fmt: skip

    async def act(made: MilterChain) -> None:
        assert await message(made, 2, b"old\n") == GOES_ON
        assert made.edits() == MailEdits(
            [2],
            [[1, b" new\n\tsubject"]],
            [
                *([0, b"X-First", b" 2"], [0, b"X-Second", b" 3"], [0, b"X-Third", b" 4"]),
                [3, b"X-Added", b" 1"],
            ],
            b"new\nbody\n",
            [],
            [],
        )

    with ScriptedMilter({b"E": edits}) as first, ScriptedMilter() as second:
        done(chain(first, second), act)
        second.gone()
    assert first.body() == b"old\r\n"
    assert second.fields() == [
        *(b"X-First:2", b"X-Second:3", b"X-Third:4"),
        *(b"From:a@example.org", b"Subject:new\n\tsubject", b"X-Added:1"),
    ]
    assert second.body() == b"new\r\nbody\r\n"
    assert second.letters() == b"OCHMRTLLLLLLNBEQ"


@pytest.mark.parametrize(
    ("own", "index", "before"),
    [
        *((0, 0, 0), (0, 1, 1), (0, 3, 3)),
        *((1, 0, 0), (1, 1, 0), (1, 2, 1), (1, 4, 3), (1, 9, 3)),
        *((3, 0, 0), (3, 1, 0), (3, 2, 1), (3, 4, 3), (3, 9, 3)),
    ],
)
def test_insertions_count_smtpds_own_received_field(own: int, index: int, before: int) -> None:
    """And not the fields of filters above it."""

    async def act(made: MilterChain) -> None:
        assert await message(made, 1, own=own) == GOES_ON
        assert made.edits().inserted == [[before, b"X", b" 1"]]

    with ScriptedMilter({b"E": inserted(index, b"X", b"1") + CONTINUE}) as milter:
        done(chain(milter), act)


def test_what_is_no_edit() -> None:
    wishes = (
        large(b"+", strings(b"<c@example.net>")) + large(b"2", strings(b"<d@example.net>", b"X=1"))
        + large(b"-", strings(b"<b@example.net>")) + large(b"e", strings(b"<new@example.org>"))
        + large(b"q", strings(b"a virus")) + large(b"q", strings(b"another")) + ACCEPT
    )  # fmt: skip

    async def act(made: MilterChain) -> None:
        assert await message(made, 1) == GOES_ON
        assert made.edits() == NOTHING._replace(
            quarantined=["a virus", "another"],
            envelope=["add recipient", "add recipient", "delete recipient", "change sender"],
        )
        assert made.edits() == NOTHING

    with ScriptedMilter({b"E": wishes}) as milter:
        done(chain(milter), act)


@pytest.mark.parametrize("opens", [False, True])
@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (
            added(b"X" * 70_000, b"1"),
            "the name of a field from the milter is longer than smtpd takes",
        ),
        (added(b"X Y", b"1"), "the name of a field from the milter is none"),
    ],
)
def test_changes_that_cannot_be_made(wish: bytes, why: str, opens: bool) -> None:
    """None of this milter's is."""

    async def act(made: MilterChain) -> None:
        outcome = await message(made, 1)
        fate = MilterFate.GOES_ON if opens else MilterFate.FAILED
        assert outcome == MilterOutcome(fate, milter=-1 if opens else 0, lost=((0, why),))
        assert made.edits() == NOTHING

    with ScriptedMilter({b"E": added(b"X-Good", b"1") + wish + CONTINUE}) as milter:
        done(chain(milter, opens=opens), act)


def test_modifications_without_leave() -> None:
    async def act(made: MilterChain) -> None:
        outcome = await message(made, 1)
        why = "a modification from the milter without ADDHDRS"
        assert outcome == MilterOutcome(MilterFate.FAILED, milter=0, lost=((0, why),))

    with ScriptedMilter({b"E": added(b"X", b"1") + CONTINUE}, actions=0) as milter:
        done(chain(milter), act)


def test_an_abort_forgets_all() -> None:
    async def act(made: MilterChain) -> None:
        assert await message(made, 1, b"x\n") == GOES_ON
        made.abort()
        assert await made.mail(b"", {}) == GOES_ON
        assert made.edits() == NOTHING
        made.abort()
        assert await made.mail(b"", {}) == GOES_ON

    wishes = added(b"X", b"1") + body(b"new") + large(b"q", strings(b"virus")) + CONTINUE
    with ScriptedMilter({b"E": wishes}) as milter:
        done(chain(milter), act)
        milter.gone()
    assert milter.letters() == b"OCHMRTLLLNBEMAMQ"


def test_mail_forgets_a_message_that_is_under_way() -> None:
    async def act(made: MilterChain) -> None:
        await envelope(made)
        assert await made.mail(b"", {}) == GOES_ON

    with ScriptedMilter() as milter:
        done(chain(milter), act)
        milter.gone()
    assert milter.letters() == b"OCHMRTAMQ"
