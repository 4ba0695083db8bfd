"""Whatever a milter says, and however its bytes are cut, a session stays sane."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.errors import ProtocolError
from opensmtpd.filter import EditedMessage, Reject
from opensmtpd.filter.field import items, make
from opensmtpd.mail.milter.commands import chunks
from opensmtpd.mail.milter.frames import DATA_MAX
from opensmtpd.mail.milter.header import HeaderEdits, MilterHeader, perform
from opensmtpd.mail.milter.modifications import LINE_MAX, apply, body_bytes, field_value
from opensmtpd.mail.milter.replies import (
    AddHeader,
    ChangeHeader,
    InsertHeader,
    Modification,
    PlainReply,
    refusal,
)
from opensmtpd.mail.milter.reply_text import read_code
from opensmtpd.mail.milter.session import MilterSession, Sent
from unit.support.lone_message import message, sent
from unit.support.milter_talk import at_eom, hear, negotiated, packet

TEXT = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"X-A\0b\0", b"\0\0\0\1X-A\0b\0", b"<a@b>\0", b"451 4.7.1 x\0", b"", b"\0"]),
)
LETTER = st.one_of(
    st.sampled_from([bytes([letter]) for letter in b"cartdspf4yhimb+2-eqO"]),
    st.binary(min_size=1, max_size=1),
)
FRAME = st.one_of(
    st.builds(packet, LETTER, TEXT),
    st.builds(packet, LETTER),
    st.sampled_from([packet(b"p"), packet(b"c"), b"\0\0\0\0", b"\0\0"]),
    st.binary(max_size=8),
)


def heard(session: MilterSession, parts: Sequence[bytes]) -> tuple[list[object], str]:
    """Return the replies, and the error that ended them."""
    replies: list[object] = []
    try:
        for part in parts:
            replies.extend(session.receive(part))
    except ProtocolError as error:
        return replies, str(error)
    return replies, ""


@given(st.lists(FRAME, max_size=6).map(b"".join), st.sets(st.integers(0, 80)), st.booleans())
def test_cuts_change_nothing(data: bytes, cuts: set[int], at_end: bool) -> None:
    def session() -> MilterSession:
        if at_end:
            return at_eom(negotiated())
        new = MilterSession()
        new.negotiate()
        return new

    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    parts = [data[start:end] for start, end in pairwise(places)]
    whole, cut, single = session(), session(), session()
    expected = replies, _ = heard(whole, [data])
    assert heard(cut, parts) == expected
    assert heard(single, [bytes([byte]) for byte in data]) == expected
    assert whole.due is cut.due is single.due
    # One reply ends what is due; before it there are modifications and signs of progress alone.
    for reply in replies[:-1]:
        assert reply is PlainReply.PROGRESS or isinstance(reply, Modification)


MESSAGE: list[Callable[[MilterSession], Sent]] = [
    lambda session: session.mail(b"a@example.org"),
    lambda session: session.rcpt(b"b@example.net"),
    lambda session: session.rcpt(b"c@example.net"),
    lambda session: session.data(),
    lambda session: session.header(b"X", b" y"),
    lambda session: session.header(b"Z", b""),
    lambda session: session.eoh(),
    lambda session: session.body(b"x\r\n"),
    lambda session: session.body(b"y\r\n"),
    lambda session: session.eom(),
]
STEPS: list[Callable[[MilterSession], Sent]] = [
    lambda session: session.connect(b"", ip_address("::1")),
    lambda session: session.helo(b"c.example.org"),
    *MESSAGE,
    *MESSAGE,
]


def letters(data: bytes) -> bytes:
    """Return the letters of whole frames."""
    found = b""
    while data:
        length = int.from_bytes(data[:4])
        assert 1 <= length <= min(DATA_MAX + 1, len(data) - 4)
        found += data[4:5]
        data = data[4 + length :]
    return found


@settings(max_examples=300)
@given(
    st.lists(st.one_of(FRAME, st.just(packet(b"c"))), max_size=30),
    st.integers(0, 0x1FFFFF),
    st.integers(2, 6),
    st.integers(0, len(STEPS)),
)
def test_a_caller_need_not_know_the_milter(
    told: list[bytes], steps: int, version: int, until: int
) -> None:
    """All steps in their order, whatever comes back: nothing raises but garbage."""
    session = negotiated(steps=steps, version=version)
    replies = iter(told)
    try:
        for step in STEPS[:until]:
            was_over, was_passed = session.over, session.passed
            got = step(session)
            assert got.due is session.due
            assert len(letters(got.data)) <= 1
            if was_over or (was_passed and step is not MESSAGE[0]):
                assert got == (b"", False)
            while session.due and (reply := next(replies, None)) is not None:
                hear(session, reply)
            if session.due:
                break
    except ProtocolError:
        assert session.over
        assert not session.due
        assert session.quit() == b""
    else:
        if not session.due:
            assert session.abort() in (b"", packet(b"A"))
        assert session.quit() == packet(b"Q")
    assert session.over


@given(
    st.one_of(
        st.binary(max_size=40),
        st.lists(
            st.sampled_from(
                [b"451", b"550", b"-", b" ", b"5.7.1", b"4.0.0", b"\r\n", b"x", b"%", b"\0", b"\t"]
            ),
            max_size=14,
        ).map(b"".join),
    )
)
def test_a_reply_to_the_client_is_one_that_smtpd_takes(data: bytes) -> None:
    try:
        found = read_code(data)
    except ProtocolError:
        return
    Reject(found.code, found.text)
    assert refusal(found) is found


# --- modifications -------------------------------------------------------------------------------

VALUE = st.lists(
    st.sampled_from([b"a", b" ", b"\t", b"\n", b"\r", b"\r\n", b"Bcc: x", b":", b"\xff"]),
    max_size=8,
).map(b"".join)


@given(VALUE, st.booleans())
def test_a_value_is_that_of_one_field(value: bytes, leading_space: bool) -> None:
    made = field_value(b"X", value, leading_space)
    assert [item.raw for item in items(make(b"X", made, LINE_MAX).raw + b"\n")] == [  # type: ignore[union-attr]
        make(b"X", made, LINE_MAX).raw
    ]
    assert made.replace(b"\n", b"").replace(b"\t", b"").replace(b" ", b"") == (
        value.replace(b"\n", b"").replace(b"\t", b"").replace(b" ", b"").replace(b"\r", b"")
    )


@given(st.lists(st.binary(max_size=8) | st.sampled_from([b"\r", b"\n", b".", b"\0"]), max_size=8))
def test_bodies_from_a_milter(pieces: list[bytes]) -> None:
    body = body_bytes(pieces)
    assert not {0, 13} & set(body)
    text = b"".join(pieces).replace(b"\r", b"").replace(b"\0", b"")
    assert body in (text, text + b"\n")
    assert not body or body.endswith(b"\n")


@given(st.lists(st.binary(max_size=5).map(lambda raw: raw.replace(b"\n", b"")), max_size=9))
def test_bodies_to_a_milter_and_back(lines: list[bytes]) -> None:
    kept = [line.replace(b"\r", b"").replace(b"\0", b"") for line in lines]
    body = b"".join([line + b"\n" for line in lines])
    assert body_bytes(chunks(body)) == b"".join([line + b"\n" for line in kept])


NAMES = st.sampled_from([b"X", b"x", b"Y", b"Z"])
HEADER = st.lists(st.tuples(NAMES, st.sampled_from([b" 1", b"2", b" 3\n\t4", b"\t5"])), max_size=8)
INDEX = st.integers(0, 9)
NEW = st.sampled_from([b"new", b" n\n\tf", b"\tt"])
CHANGES = st.lists(
    st.one_of(
        st.builds(AddHeader, NAMES, NEW),
        st.builds(InsertHeader, INDEX, NAMES, NEW),
        st.builds(ChangeHeader, INDEX.map(lambda at: max(at, 1)), NAMES, NEW | st.just(b"")),
    ),
    max_size=8,
)


class Performs(EditedMessage):
    def __init__(self, edits: HeaderEdits, hidden: int) -> None:
        self.edits, self.hidden = edits, hidden

    def end(self) -> None:
        perform(self, self.edits, self.hidden)


def line_list(fields: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    return [line for name, value in fields for line in (name + b":" + value).split(b"\n")]


@settings(max_examples=300)
@given(HEADER, st.lists(CHANGES, max_size=3), st.integers(0, 2), st.booleans())
def test_the_edits_make_the_header_that_the_milters_see(
    fields: list[tuple[bytes, bytes]],
    milters: list[list[Modification]],
    hidden: int,
    leading_space: bool,
) -> None:
    header = MilterHeader(fields, own=hidden)
    for modifications in milters:
        header.fields()
        apply(header, modifications, leading_space=leading_space)
    m = message(Performs(header.edits(), hidden))
    own = [b"Received: ours"] * hidden
    m.receive([*own, *line_list(fields), b"", b"body"])
    m.close_input(m.end())
    seen = [
        (name, b" " + value if value[:1].isalpha() else value) for name, value in header.fields()
    ]
    assert sent(m) == [*own, *line_list(seen), b"", b"body", b"."]


@given(HEADER, CHANGES, st.integers(0, 2))
def test_without_removals_indices_are_those_of_a_list(
    fields: list[tuple[bytes, bytes]], modifications: list[Modification], own: int
) -> None:
    header, model = MilterHeader(fields, own=own), [*[(b"Received", b"ours")] * own, *fields]
    kept = [each for each in modifications if not isinstance(each, ChangeHeader) or each.value]
    apply(header, kept, leading_space=True)
    for each in kept:
        match each:
            case AddHeader(name, value):
                model.append((name, value))
            case InsertHeader(at, name, value):
                model.insert(at, (name, value))
            case ChangeHeader(at, name, value):
                same = [n for n, field in enumerate(model) if field[0].lower() == name.lower()]
                if at <= len(same):
                    model[same[at - 1]] = (model[same[at - 1]][0], value)
                else:
                    model.append((name, value))
    assert header.fields() == [field for field in model if field[1] != b"ours"]
