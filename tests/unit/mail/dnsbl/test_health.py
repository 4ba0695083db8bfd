"""Which lists are asked and believed, by a clock that the test turns."""

from collections.abc import Iterator
from math import inf

import pytest

from opensmtpd.dns import Question, RecordType
from opensmtpd.mail.dnsbl.health import Health
from opensmtpd.mail.dnsbl.lists import List, Subject

LIST = List("key.zen.dq.spamhaus.net", "zen.dq.spamhaus.net")
OTHER = List("bl.example", "bl.example")


class Ward:
    """A health, its clock, and what it logged."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.now = 1000.0
        self.health = Health(lambda: self.now)
        self.numbers: Iterator[int] = iter(range(1000))
        self._capfd = capfd

    def fail(self, times: int = 1, each: List = LIST) -> None:
        for _ in range(times):
            question = Question(f"{next(self.numbers)}.2.0.192.{each.zone}", RecordType.A)
            self.health.failed(each, question, "timeout")

    def asks(self, at: float, each: List = LIST) -> bool:
        self.now = 1000.0 + at
        return self.health.asks(each)

    def log(self) -> list[str]:
        return self._capfd.readouterr().err.splitlines()


@pytest.fixture
def ward(capfd: pytest.CaptureFixture[str]) -> Ward:
    return Ward(capfd)


LEFT_OUT = "list-left-out list=zen.dq.spamhaus.net reason=timeout failures=5"
BACK = "list-back list=zen.dq.spamhaus.net"


def test_five_failures_in_a_row_leave_a_list_out_for_a_minute(ward: Ward) -> None:
    ward.fail(4)
    assert ward.asks(0)
    assert ward.log() == []
    ward.fail()
    assert not ward.asks(0)
    assert not ward.asks(59.9)
    assert ward.asks(60)
    assert ward.log() == [LEFT_OUT]


def test_an_answer_ends_the_row(ward: Ward) -> None:
    ward.fail(4)
    ward.health.answered(LIST, inf)
    ward.fail(4)
    assert ward.asks(0)
    assert ward.log() == []


def test_what_is_remembered_says_nothing_of_today(ward: Ward) -> None:
    """Else a dead list would stay as long as a regular client's absence is remembered."""
    before = ward.now - 1
    for _ in range(5):
        ward.fail()
        ward.health.answered(LIST, before)
    assert not ward.asks(0)
    assert ward.asks(60)
    ward.health.answered(LIST, before)
    assert not ward.asks(61)
    assert ward.log() == [LEFT_OUT]
    assert ward.asks(120)
    ward.health.answered(LIST, ward.now)
    assert ward.log() == [BACK]


def test_two_failures_that_were_kept_count_twice(ward: Ward) -> None:
    questions = [
        Question(f"{host}.2.0.192.key.zen.dq.spamhaus.net", RecordType.A) for host in (1, 2)
    ]
    for _ in range(10):
        for question in questions:
            ward.health.failed(LIST, question, "timeout")
    assert ward.asks(0)


def test_one_failure_that_was_kept_counts_once(ward: Ward) -> None:
    same = Question("5.2.0.192.key.zen.dq.spamhaus.net", RecordType.A)
    for _ in range(20):
        ward.health.failed(LIST, same, "timeout")
    assert ward.asks(0)


def test_lists_do_not_fail_for_each_other(ward: Ward) -> None:
    ward.fail(4)
    ward.fail(4, OTHER)
    assert ward.asks(0)
    assert ward.asks(0, OTHER)
    ward.fail()
    assert ward.asks(0, OTHER)


def test_names_and_addresses_are_two_lists_of_one_zone(ward: Ward) -> None:
    ward.fail(5)
    assert ward.asks(0, LIST._replace(subject=Subject.HELO))
    assert not ward.asks(0, LIST._replace(score=3))


def test_one_decision_tries_a_list_that_is_out(ward: Ward) -> None:
    ward.fail(5)
    assert [ward.asks(60), ward.asks(60), ward.asks(119)] == [True, False, False]
    # Nobody came back from that one: the next may try.
    assert [ward.asks(120), ward.asks(120)] == [True, False]


def test_the_pause_doubles_up_to_half_an_hour(ward: Ward) -> None:
    ward.fail(5)
    at, pauses = 0.0, []
    for _ in range(7):
        pause = next(each for each in range(1, 4000) if ward.asks(at + each))
        pauses.append(pause)
        at += pause
        ward.fail()
    assert pauses == [60, 120, 240, 480, 960, 1800, 1800]
    assert ward.log() == [LEFT_OUT]


def test_answers_under_way_when_it_was_left_out_change_no_pause(ward: Ward) -> None:
    ward.fail(50)
    assert not ward.asks(59)
    assert ward.asks(60)
    assert ward.log() == [LEFT_OUT]


def test_a_list_that_answers_again_is_back(ward: Ward) -> None:
    ward.fail(5)
    assert ward.asks(60)
    ward.health.answered(LIST, inf)
    assert [ward.asks(60), ward.asks(60)] == [True, True]
    assert ward.log() == [LEFT_OUT, BACK]
    ward.fail(5)
    assert not ward.asks(60)
    assert ward.asks(120)  # a minute again
    assert ward.log() == [LEFT_OUT]


def test_a_list_that_refuses_us_is_off_for_an_hour(ward: Ward) -> None:
    off = (
        'list-off list=zen.dq.spamhaus.net reason="it refuses us with 127.255.255.254" seconds=3600'
    )
    for _ in range(3):
        ward.health.refused(LIST, "it refuses us with 127.255.255.254")
    assert not ward.asks(3599)
    assert ward.log() == [off]
    assert ward.asks(3600)
    ward.health.refused(LIST, "it refuses us with 127.255.255.254")
    assert not ward.asks(7199)
    assert ward.log() == [off]
    assert ward.asks(7200)
    ward.health.answered(LIST, inf)
    assert ward.asks(7200)
    assert ward.log() == [BACK]


def test_a_list_that_is_off_and_then_silent_is_tried_twice_an_hour(ward: Ward) -> None:
    ward.health.refused(LIST, "it refuses us")
    assert ward.asks(3600)
    ward.fail()
    assert not ward.asks(3600 + 1799)
    assert ward.asks(3600 + 1800)


def test_a_list_of_everybody_is_not_believed_until_it_is_none(ward: Ward) -> None:
    assert ward.health.believed(LIST)
    for _ in range(3):
        ward.health.probed(LIST, True)
    assert not ward.health.believed(LIST)
    assert ward.health.believed(OTHER)
    assert ward.asks(0)
    ward.health.probed(LIST, False)
    ward.health.probed(LIST, False)
    assert ward.health.believed(LIST)
    assert ward.log() == [
        'list-not-believed list=zen.dq.spamhaus.net reason="it lists 127.0.0.1"',
        "list-believed list=zen.dq.spamhaus.net",
    ]


def test_what_a_list_of_names_may_not_list(ward: Ward) -> None:
    ward.health.probed(OTHER._replace(subject=Subject.SENDER), True)
    assert ward.log() == ['list-not-believed list=bl.example reason="it lists the name invalid"']
