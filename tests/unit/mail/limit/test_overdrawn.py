"""The limits that are known to be exceeded."""

from opensmtpd.backends.state.steps import Rate
from opensmtpd.mail.limit.charges import Charge
from opensmtpd.mail.limit.overdrawn import KNOWN_MAX, Overdrawn
from opensmtpd.mail.limit.rules import Excess, LimitRule, Unit, Whose

RATE = Rate(1, 3600.0)


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def charge(name: str = "bob", written: str = "1/1h", whose: Whose = Whose.USER) -> Charge:
    rule = LimitRule(whose, Unit.MESSAGES, written, RATE, 1, Excess.DEFER, 86400.0)
    return Charge(rule, name, 1)


def test_time_passes() -> None:
    clock = Clock()
    known = Overdrawn(clock)
    assert known.left(charge()) == 0.0
    known.note(charge(), 10.0)
    assert known.left(charge()) == 10.0
    clock.now += 9.5
    assert known.left(charge()) == 0.5
    clock.now += 0.5
    assert known.left(charge()) == 0.0
    clock.now -= 5.0  # it is forgotten, and not only over
    assert known.left(charge()) == 0.0


def test_others_are_not_concerned() -> None:
    known = Overdrawn(Clock())
    known.note(charge(), 10.0)
    assert known.left(charge("alice")) == 0.0
    assert known.left(charge(written="2/1h")) == 0.0
    assert known.left(charge(whose=Whose.SENDER)) == 0.0


def test_the_last_note_counts() -> None:
    known = Overdrawn(Clock())
    known.note(charge(), 10.0)
    known.note(charge(), 3.0)
    assert known.left(charge()) == 3.0


def test_the_oldest_are_forgotten() -> None:
    known = Overdrawn(Clock())
    for number in range(KNOWN_MAX):
        known.note(charge(f"user{number}"), 10.0)
    known.note(charge("user0"), 20.0)  # it is the newest now
    known.note(charge("another"), 10.0)
    names = ["user0", "user1", "user2", f"user{KNOWN_MAX - 1}", "another"]
    assert [known.left(charge(name)) for name in names] == [20.0, 0.0, 10.0, 10.0, 10.0]


def test_the_clock_of_the_process() -> None:
    known = Overdrawn()
    known.note(charge(), 1000.0)
    assert 0.0 < known.left(charge()) <= 1000.0
