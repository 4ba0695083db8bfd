from opensmtpd.capture.messages import Bodies
from unit.support.captures import P, S


def test_the_filter_may_end_a_message_later_than_smtpd() -> None:
    bodies = Bodies()
    sent = [bodies.keeps(S, b"k", line) for line in (b"A: b", b"", b"text", b".")]
    back = [bodies.keeps(P, b"k", line) for line in (b"New: x", b"A: b", b"", b"text", b".")]
    assert sent == [True, True, False, True]
    assert back == [True, True, True, False, True]
    assert bodies.keeps(S, b"k", b"C: d")  # the next message under the same token


def test_lines_of_a_message_that_nobody_knows_are_its_body() -> None:
    bodies = Bodies()
    assert not bodies.keeps(P, b"k", b"A: b")
    bodies.lost()
    assert not bodies.keeps(S, b"k", b"A: b")
    assert bodies.keeps(S, b"l", b"Received: by us")


def test_a_line_that_is_no_field_begins_the_body() -> None:
    """A client need not send the empty line."""
    bodies = Bodies()
    sent = [b"Received: x", b"\tby us", b"A: b", b"a text", b"B: c", b"", b"."]
    kept = [bodies.keeps(S, b"k", line) for line in sent]
    assert kept == [True, True, True, False, False, True, True]
    assert bodies.keeps(P, b"k", b"A: b")  # each side by itself


def test_many_messages_take_little_memory() -> None:
    bodies = Bodies()
    for number in range(5000):
        bodies.keeps(S, b"%d" % number, b"A: b")
    assert not bodies.keeps(P, b"0", b"A: b")
    assert bodies.keeps(P, b"4999", b"A: b")
