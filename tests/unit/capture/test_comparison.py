import pytest

from opensmtpd.capture.comparison import HELD_MAX, Comparison, Difference, answer_key
from opensmtpd.capture.format import CaptureKind

A, B = b"filter-result|s|1|proceed", b"filter-result|s|2|proceed"


def compare(skipped: frozenset[bytes] = frozenset()) -> Comparison:
    return Comparison(CaptureKind.FILTER, skipped)


def test_answers_to_different_requests_in_another_order() -> None:
    both = compare()
    both.recorded(A)
    both.recorded(B)
    assert both.waiting
    both.given(B)
    both.given(A)
    both.missing()
    assert (both.waiting, both.equal, both.difference) == (False, 2, None)


def test_lines_of_one_message_keep_their_order() -> None:
    both = compare()
    for line in (b"filter-dataline|s|1|a", b"filter-dataline|s|1|b"):
        both.recorded(line)
    both.given(b"filter-dataline|s|1|b")
    assert both.difference == Difference(b"filter-dataline|s|1|a", b"filter-dataline|s|1|b")
    assert not both.waiting


def test_an_answer_that_comes_before_it_is_read() -> None:
    both = compare()
    both.given(A)
    assert not both.waiting
    both.recorded(A + b"|x")
    assert both.difference == Difference(A + b"|x", A)


@pytest.mark.parametrize(("recorded", "given"), [(A, None), (None, A)])
def test_answers_that_are_missing(recorded: bytes | None, given: bytes | None) -> None:
    both = compare()
    if recorded:
        both.recorded(recorded)
    if given:
        both.given(given)
    assert both.difference is None
    both.finish([b"s|2"])
    assert both.difference == Difference(recorded, given)


def test_requests_that_were_under_way_at_the_end() -> None:
    both = compare()
    both.given(A)
    both.finish([b"s|1"])
    assert both.difference is None


def test_what_is_skipped_or_forgotten() -> None:
    both = compare(frozenset([b"s|1"]))
    both.recorded(A)
    both.given(B)
    both.forget(b"s|2")
    both.given(B)
    both.missing()
    assert (both.equal, both.difference) == (0, None)


def test_the_handshake() -> None:
    both = compare()
    both.recorded(b"register|filter|smtp-in|x")
    both.given(b"register|filter|smtp-in|commit")
    assert not both.ready
    both.given(b"register|ready")
    assert both.ready
    assert both.registered == {b"filter|smtp-in|commit"}
    both.missing()
    assert both.difference is None


def test_memory_is_bounded() -> None:
    both = compare()
    for number in range(70):
        both.given(b"filter-result|s|%d|" % number + b"x" * (HELD_MAX // 64))
    assert both.difference is not None


def test_keys() -> None:
    assert answer_key(CaptureKind.FILTER, b"filter-dataline|s|t|a|b") == b"s|t"
    assert answer_key(CaptureKind.TABLE, b"lookup-result|0a|found|x|y") == b"0a"
    assert answer_key(CaptureKind.TABLE, b"***") == b""
