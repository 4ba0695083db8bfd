"""filter-milter: the content of messages, as milters see it, and their changes."""

import pytest

from unit.support.milter_mail import MESSAGE, NEW_SESSION, OPEN, UNAVAILABLE, below, front, send
from unit.support.scripted_milter import (
    ACCEPT,
    CONTINUE,
    SKIP,
    ScriptedMilter,
    added,
    body,
    changed,
    inserted,
)

LEADING_SPACE = 0x100000
NO_FIELDS = 0x20


def edited(*edits: bytes, message: bytes = MESSAGE, steps: int = 0) -> bytes:
    """Return the lines below smtpd's own, edited by milters in this order."""
    milters = [ScriptedMilter({b"E": each + CONTINUE}, steps=steps) for each in edits]
    outcome = send(*milters, message=message)
    for each in milters:
        each.close()
    assert (outcome.accepted, front(outcome), outcome.log) == (True, b"", ())
    return below(outcome)


def seen(message: bytes, steps: int = LEADING_SPACE) -> tuple[list[bytes], bytes]:
    """Return the fields and the body that a milter sees; the message goes on as it came."""
    with ScriptedMilter(steps=steps) as milter:
        outcome = send(milter, message=message)
    assert outcome.accepted
    if b"\0" not in message and b"\r" not in message:
        assert below(outcome) == message + b"\n" * (message[-1:] not in (b"\n", b""))
    return milter.fields(), milter.body()


# --- the content ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "fields", "text"),
    [
        (MESSAGE, [b"From: bob@remote.example", b"Subject: hello"], b"text\r\n..dots\r\n"),
        (b"", [], b""),
        (b"\n", [], b""),
        (b"\n\n", [], b"\r\n"),
        (b"A: 1", [b"A: 1"], b""),
        (b"A: 1\n", [b"A: 1"], b""),
        (b"A: 1\n\n", [b"A: 1"], b""),
        (b"A: 1\n\n\n\n", [b"A: 1"], b"\r\n\r\n"),
        (b"\ntext\n", [], b"text\r\n"),
        (b"A: 1\n\ntext", [b"A: 1"], b"text\r\n"),
        (b"A: 1\n\n.\n..\n.x\n", [b"A: 1"], b".\r\n..\r\n.x\r\n"),
        (b"A: 1\n\n" + b"x" * 60_000 + b"\n", [b"A: 1"], b"x" * 60_000 + b"\r\n"),
        (b"A: 1\n\n\xff\xfe\n", [b"A: 1"], b"\xff\xfe\r\n"),
        (b"A: 1\n 2\n\t3\nB:4\n", [b"A: 1\n 2\n\t3", b"B:4"], b""),
        (b"A:\nB:  two\nC:\t\n", [b"A:", b"B:  two", b"C:\t"], b""),
        (b"A : 1\n\n", [b"A: 1"], b""),
        (b".A: 1\n\n", [b".A: 1"], b""),
        (b"A: 1\nA: 2\na: 3\n", [b"A: 1", b"A: 2", b"a: 3"], b""),
        (b"A: b: c\n\nd: e\n", [b"A: b: c"], b"d: e\r\n"),
        (b"A: 1\n \nB: 2\n", [b"A: 1\n ", b"B: 2"], b""),
        (b"Received: from x\nReceived: from y\n", [b"Received: from x", b"Received: from y"], b""),
        (b"X-Spam: Yes\nReceived: x\n", [b"X-Spam: Yes", b"Received: x"], b""),
    ],
    ids=lambda value: value[:15] if isinstance(value, bytes) else None,
)
def test_what_a_milter_sees(message: bytes, fields: list[bytes], text: bytes) -> None:
    assert seen(message) == (fields, text)


def test_without_the_space() -> None:
    message = b"A: 1\nB:2\nC:  3\nD:\t4\nE: 5\n  6\n"
    assert seen(message, 0)[0] == [b"A:1", b"B:2", b"C: 3", b"D:\t4", b"E:5\n  6"]


@pytest.mark.parametrize(
    ("message", "fields", "text"),
    [
        (b"text without a header\nmore\n", [], b"text without a header\r\nmore\r\n"),
        (b" folded from the beginning\nA: 1\n\ntext\n", [b"A: 1"], b"text\r\n"),
        (b"A: 1\nx\nB: 2\n\ny\n", [b"A: 1", b"B: 2"], b"x\r\nB: 2\r\n\r\ny\r\n"),
        (b"A: 1\n 2\nno field\n\tx\n", [b"A: 1\n 2"], b"no field\r\n\tx\r\n"),
        (b": no name\n\ntext\n", [], b": no name\r\n\r\ntext\r\n"),
        (b"A: 1\n.no field at the end\n", [b"A: 1"], b".no field at the end\r\n"),
        (b"From bob Sat Jan  1 00:00:00 2000\nA: 1\n\ntext\n", [b"A: 1"], b"text\r\n"),
        (b">From bob\nA: 1\nFrom bob\n", [b"A: 1"], b"From bob\r\n"),
        (b"A: 1\n" + b"no field\n" * 7000, [b"A: 1"], b"no field\r\n" * 7000),
    ],
    ids=lambda value: value[:15] if isinstance(value, bytes) else None,
)
def test_a_line_that_is_no_field_begins_the_body(
    message: bytes, fields: list[bytes], text: bytes
) -> None:
    """As for Sendmail and Postfix; else it would go past the milters. All goes on as it came."""
    assert seen(message) == (fields, text)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"A: 1\nB: 2\nno field\nC: 3\n", b"T: t\nA: 1\nN: n\nB: 2\nno field\n"),
        (b"A: 1\nno field\n\nx\n", b"T: t\nN: n\nA: 1\nno field\n\nx\n"),
    ],
)
def test_new_fields_stand_above_a_line_that_is_no_field(message: bytes, expected: bytes) -> None:
    edits = inserted(0, b"T", b"t") + added(b"N", b"n") + changed(1, b"C", b"")
    assert edited(edits, message=message) == expected


def test_new_fields_of_a_message_without_any() -> None:
    edits = added(b"N", b"n") + added(b"M", b"m")
    with ScriptedMilter({b"E": edits + CONTINUE}) as milter:
        outcome = send(milter, message=b"no field\nC: 3\n")
    assert (front(outcome), below(outcome)) == (b"N: n\nM: m\n", b"no field\nC: 3\n")


def test_a_new_body_for_lines_that_stay() -> None:
    """A milter would have it in their place, and they are no part of what can be replaced."""
    with ScriptedMilter({b"E": body(b"clean\r\n") + CONTINUE}) as milter:
        outcome = send(milter, message=b"A: 1\nvirus\n\nx\n", line=OPEN)
    assert outcome.reply == UNAVAILABLE
    assert outcome.log[0].startswith(f"{NEW_SESSION}milter-unusable reason=")


def test_nuls_and_carriage_returns() -> None:
    """smtpd ends a line at a NUL."""
    fields, text = seen(b"A: 1\0 2\r\n\r\nx\0y\r\nz\r\n")
    assert (fields, text) == ([b"A: 1"], b"x\r\nz\r\n")


def header_of(lines: int) -> list[bytes]:
    return [b"X-%05d: %s" % (number, b"y" * 990) for number in range(lines)]


def test_a_header_in_parts() -> None:
    """1.5 MB, which are more than a request to the worker holds."""
    lines = header_of(1500)
    assert seen(b"\n".join(lines) + b"\n\nbody\n") == (lines, b"body\r\n")


def test_a_header_that_is_too_large_for_edits() -> None:
    with ScriptedMilter() as milter:
        outcome = send(milter, message=b"\n".join(header_of(3000)) + b"\n\nbody\n")
    assert outcome.reply == b"550 5.6.0 Message refused: its header is too large"
    assert milter.letters().removesuffix(b"Q").removesuffix(b"A") == b"OCHMRT"


def test_a_field_that_is_too_long_for_a_frame() -> None:
    """A milter sees its beginning, and all of it goes on."""
    field = b"X: " + b"\n ".join([b"y" * 999] * 100)
    fields, text = seen(field + b"\nB: 2\n\nbody\n")
    assert fields == [field[:65_534], b"B: 2"]
    assert text == b"body\r\n"


@pytest.mark.parametrize("lines", [1, 300_000])
def test_a_large_body(lines: int) -> None:
    """With lines in plenty, or one; both go in frames as large as they may be."""
    text = b"x" * 65_000 + b"\n" if lines == 1 else b"0123456789\n" * lines
    assert seen(b"A: 1\n\n" + text) == ([b"A: 1"], text.replace(b"\n", b"\r\n"))


def test_a_milter_that_wants_no_header_and_no_body() -> None:
    with ScriptedMilter(steps=0x30) as milter, ScriptedMilter(steps=0x10) as second:
        assert send(milter, second).accepted
    assert milter.letters().removesuffix(b"Q") == b"OCHMRTNE"
    assert second.letters().removesuffix(b"Q") == b"OCHMRTLLNE"


def test_a_milter_that_skips_the_body() -> None:
    text = b"0123456789\n" * 300_000
    with ScriptedMilter({b"B": SKIP}) as first, ScriptedMilter() as second:
        assert send(first, second, message=b"A: 1\n\n" + text).accepted
    assert first.letters().count(b"B") == 1
    assert second.body() == text.replace(b"\n", b"\r\n")


# --- changes of the header ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "header"),
    [
        (added(b"X", b"1"), b"A: 1\nB: 2\nA: 3\nX: 1\n"),
        (inserted(0, b"X", b"1"), b"X: 1\nA: 1\nB: 2\nA: 3\n"),
        (inserted(1, b"X", b"1"), b"X: 1\nA: 1\nB: 2\nA: 3\n"),
        (inserted(2, b"X", b"1"), b"A: 1\nX: 1\nB: 2\nA: 3\n"),
        (inserted(4, b"X", b"1"), b"A: 1\nB: 2\nA: 3\nX: 1\n"),
        (inserted(99, b"X", b"1"), b"A: 1\nB: 2\nA: 3\nX: 1\n"),
        (changed(1, b"A", b"new"), b"A: new\nB: 2\nA: 3\n"),
        (changed(2, b"a", b"new"), b"A: 1\nB: 2\nA: new\n"),
        (changed(0, b"A", b"new"), b"A: new\nB: 2\nA: 3\n"),
        (changed(3, b"A", b"new"), b"A: 1\nB: 2\nA: 3\nA: new\n"),
        (changed(1, b"C", b"new"), b"A: 1\nB: 2\nA: 3\nC: new\n"),
        (changed(1, b"A", b""), b"B: 2\nA: 3\n"),
        (changed(2, b"A", b""), b"A: 1\nB: 2\n"),
        (changed(3, b"A", b""), b"A: 1\nB: 2\nA: 3\n"),
        (changed(1, b"A", b"") + changed(1, b"A", b""), b"B: 2\n"),
        (changed(1, b"A", b"") + changed(2, b"A", b""), b"B: 2\n"),
        (changed(2, b"A", b"") + changed(1, b"A", b""), b"B: 2\n"),
        (changed(1, b"A", b"") + changed(1, b"A", b"") + changed(1, b"B", b""), b""),
        (added(b"X", b"1\n 2\r\n\t3\n4"), b"A: 1\nB: 2\nA: 3\nX: 1\n 2\n\t3\n\t4\n"),
        (added(b"X", b""), b"A: 1\nB: 2\nA: 3\nX: \n"),
        (inserted(0, b".X", b".1"), b".X: .1\nA: 1\nB: 2\nA: 3\n"),
        (
            inserted(0, b"X", b"1") + inserted(0, b"Y", b"2") + inserted(1, b"Z", b"3"),
            b"Y: 2\nZ: 3\nX: 1\nA: 1\nB: 2\nA: 3\n",
        ),
        (added(b"X", b"1") + changed(1, b"X", b"2"), b"A: 1\nB: 2\nA: 3\nX: 2\n"),
        (added(b"X", b"1") + changed(1, b"X", b""), b"A: 1\nB: 2\nA: 3\n"),
    ],
)
def test_the_header(edits: bytes, header: bytes) -> None:
    message = b"A: 1\nB: 2\nA: 3\n\nbody\n"
    assert edited(edits, message=message) == header + b"\nbody\n"


def test_the_space_is_the_milters() -> None:
    edits = added(b"X", b"1") + added(b"Y", b" 2") + changed(1, b"From", b"  3")
    assert edited(edits, steps=LEADING_SPACE) == (  # a field without one gets it all the same
        b"From:  3\nSubject: hello\nX: 1\nY: 2\n\ntext\n..dots\n"
    )


def test_a_milter_that_would_end_the_header() -> None:
    assert edited(added(b"X", b"1\r\n\r\nbody")) == (
        b"From: bob@remote.example\nSubject: hello\nX: 1\n\tbody\n\ntext\n..dots\n"
    )


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", b"X: 1\n"),
        (b"\n", b"X: 1\n\n"),
        (b"\ntext\n", b"X: 1\n\ntext\n"),
        (b"A: 1\n", b"A: 1\nX: 1\n"),
    ],
)
def test_a_field_where_there_is_no_header(message: bytes, expected: bytes) -> None:
    assert edited(added(b"X", b"1"), message=message) == expected


def test_two_and_three_in_order() -> None:
    """Each sees what those before it have changed, with indices of what it sees."""
    first = inserted(0, b"One", b"1") + changed(1, b"Subject", b"[1] hello") + added(b"Y", b"1")
    second = changed(1, b"One", b"") + inserted(1, b"Two", b"2") + changed(1, b"Y", b"2")
    third = inserted(3, b"Three", b"3") + changed(1, b"From", b"")
    milters = [ScriptedMilter({b"E": each + CONTINUE}) for each in (first, second, third)]
    assert below(send(*milters)) == (
        b"Two: 2\nThree: 3\nSubject: [1] hello\nY: 2\n\ntext\n..dots\n"
    )
    assert milters[1].fields() == [
        *(b"One:1", b"From:bob@remote.example", b"Subject:[1] hello", b"Y:1")
    ]
    assert milters[2].fields() == [
        *(b"Two:2", b"From:bob@remote.example", b"Subject:[1] hello", b"Y:2")
    ]
    for each in milters:
        each.close()
    assert edited(first, second) == (
        b"Two: 2\nFrom: bob@remote.example\nSubject: [1] hello\nY: 2\n\ntext\n..dots\n"
    )


def test_a_refusal_behind_changes() -> None:
    with ScriptedMilter({b"E": added(b"X", b"1") + b"\0\0\0\1r"}) as milter:
        assert send(milter).reply == b"550 5.7.1 Command rejected"


def test_changes_before_accept() -> None:
    with ScriptedMilter({b"E": added(b"X", b"1") + ACCEPT}) as milter:
        assert below(send(milter)).startswith(b"From: bob@remote.example\nSubject: hello\nX: 1\n")


# --- changes of the body --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (b"new\r\nbody\r\n", b"new\nbody\n"),
        (b"new\nbody\n", b"new\nbody\n"),
        (b"without an end", b"without an end\n"),
        (b"", b""),
        (b"\r\n", b"\n"),
        (b"\r\n\r\n", b"\n\n"),
        (b".\r\n..\r\n.x\r\n", b".\n..\n.x\n"),
        (b"a\rb\0c\r\n", b"abc\n"),
        (b"\xff\r\n", b"\xff\n"),
        (b"x" * 65_484 + b"\r\n", b"x" * 65_484 + b"\n"),
    ],
    ids=lambda value: value[:9],
)
def test_the_body(new: bytes, expected: bytes) -> None:
    found = edited(body(new))
    header, _, text = found.partition(b"\n\n")
    assert header.rstrip(b"\n") == b"From: bob@remote.example\nSubject: hello"
    assert text == expected


@pytest.mark.parametrize("message", [b"", b"\n", b"A: 1\n", b"A: 1\n\n"])
def test_a_body_where_there_was_none(message: bytes) -> None:
    head = b"A: 1\n" if message.startswith(b"A") else b""
    assert edited(body(b"new\r\n"), message=message) == head + b"\nnew\n"


def test_a_large_body_is_replaced() -> None:
    """By 5 MB, which come back in parts; the second milter sees the new one, and replaces it."""
    new = b"0123456789abcdef\r\n" * 300_000
    with (
        ScriptedMilter({b"E": body(new) + CONTINUE}) as first,
        ScriptedMilter({b"E": added(b"X", b"2") + CONTINUE}) as second,
    ):
        outcome = send(first, second)
    assert second.body() == new
    assert below(outcome) == (
        b"From: bob@remote.example\nSubject: hello\nX: 2\n\n" + new.replace(b"\r\n", b"\n")
    )


def test_a_replaced_body_is_replaced() -> None:
    found = edited(body(b"one\r\n"), body(b"two\r\n"))
    assert found == b"From: bob@remote.example\nSubject: hello\n\ntwo\n"


@pytest.mark.parametrize("line", ["", OPEN])
def test_lines_that_become_too_long(line: str) -> None:
    """A client sends one that is nearly so, and a milter marks it: it passes marked."""
    subject = b"x" * 65_475
    edits = changed(1, b"Subject", b"[SPAM] " + subject) + body(b"y" * 65_486)
    with ScriptedMilter({b"E": edits + CONTINUE}) as milter:
        outcome = send(milter, message=b"Subject: " + subject + b"\n\ntext\n", line=line)
    assert below(outcome) == (
        b"Subject: [SPAM] " + subject[:-6] + b"\n\t" + subject[-6:] + b"\n\n"
        b"%s\nyy\n" % (b"y" * 65_484)
    )
    assert outcome.log == ()


def test_a_name_that_is_too_long() -> None:
    edits = added(b"X" * 65_486, b"1")
    with ScriptedMilter({b"E": edits + CONTINUE}) as milter:
        outcome = send(milter)
    assert outcome.reply == UNAVAILABLE
    why = "the name of a field from the milter is longer than smtpd takes"
    assert outcome.log[0] == f'{NEW_SESSION}milter-lost milter={milter.place} reason="{why}"'


@pytest.mark.parametrize("line", ["", OPEN])
def test_a_client_has_no_fields_pass_by_their_number(line: str) -> None:
    """A milter removes each one that is forged: as OpenDKIM, above OpenDMARC, which believes it."""
    name = b"Authentication-Results"
    forged = (name + b": mx.example.com; dkim=pass\n") * 5000
    edits = changed(1, name, b"") * 5000 + inserted(0, name, b"mx.example.com; dkim=fail")
    with ScriptedMilter({b"E": edits + CONTINUE}, steps=NO_FIELDS) as milter:
        outcome = send(milter, message=forged + MESSAGE, line=line)
    assert below(outcome) == name + b": mx.example.com; dkim=fail\n" + MESSAGE
