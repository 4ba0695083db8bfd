"""The results of steps."""

import pytest

from opensmtpd.backends.state.results import Attempt, Greylisting


@pytest.mark.parametrize(
    ("attempt", "passes"),
    [
        (Attempt.NEW, False),
        (Attempt.EARLY, False),
        (Attempt.PASSED, True),
        (Attempt.KNOWN, True),
    ],
)
def test_those_pass_whose_delay_is_over(attempt: Attempt, passes: bool) -> None:
    assert Greylisting(attempt, 300.0, 0.0).passes is passes
