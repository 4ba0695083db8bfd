"""The replies to what is more than a limit."""

import math

import pytest

from opensmtpd.backends.state.steps import Rate
from opensmtpd.mail.limit.replies import gravity, refusal
from opensmtpd.mail.limit.rules import Excess, LimitRule, Unit, Whose

STOPPED = "Reject(550, '5.7.1 This account has sent too much mail and is stopped')"
NEVER = "Reject(552, '5.3.4 Larger than all that may be sent at once')"


def reply(excess: Excess, after: float, unit: Unit = Unit.MESSAGES) -> str:
    return repr(refusal(rule(excess, unit), after))


def rule(excess: Excess, unit: Unit = Unit.MESSAGES) -> LimitRule:
    return LimitRule(Whose.USER, unit, "1/1h", Rate(1, 3600.0), 1, excess, 86400.0)


@pytest.mark.parametrize("unit", [*Unit])
def test_replies(unit: Unit) -> None:
    later = f"Reject(450, '4.7.1 Too many {unit}, please try again in 3600 seconds')"
    assert reply(Excess.DEFER, 3600.0, unit) == later
    assert reply(Excess.PACE, 3600.0, unit) == later
    assert reply(Excess.REJECT, 3600.0, unit) == f"Reject(550, '5.7.1 Too many {unit}')"
    assert reply(Excess.STOP, 3600.0, unit) == STOPPED


@pytest.mark.parametrize(("after", "shown"), [(0.000_001, 1), (1.0, 1), (1.2, 2), (34e6, 34000000)])
def test_the_time_is_rounded_up(after: float, shown: int) -> None:
    text = f"4.7.1 Too many messages, please try again in {shown} seconds"
    assert reply(Excess.DEFER, after) == f"Reject(450, {text!r})"


def test_never() -> None:
    for excess in (Excess.DEFER, Excess.PACE, Excess.REJECT):
        assert reply(excess, math.inf) == NEVER
    assert reply(Excess.STOP, math.inf) == STOPPED


def test_the_gravest() -> None:
    order = [
        *[(Excess.PACE, 9.0), (Excess.REJECT, 1.0), (Excess.DEFER, math.inf)],
        *[(Excess.REJECT, math.inf), (Excess.STOP, 1.0)],
    ]
    found = [gravity(rule(excess), after) for excess, after in order]
    assert found == sorted(found)
    assert gravity(rule(Excess.DEFER), 9.0) == gravity(rule(Excess.PACE), 8.1)  # both say 9
    assert gravity(rule(Excess.DEFER), 9.0) > gravity(rule(Excess.PACE), 1.0)
