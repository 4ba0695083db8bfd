"""The two ends of a test that went wrong: smtpd would be dead, or a session would wait."""

import pytest

from opensmtpd.testing import Fatal, Hung


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Fatal("lost processor"), "smtpd dies: lost processor"),
        (Fatal("Invalid token", b"filter-result|\xff"), "smtpd dies: Invalid token:"
         r" b'filter-result|\xff'"),
        (Fatal("x", b"y" * 300), f"smtpd dies: x: b'{'y' * 200}'"),
        (Hung([("1718", "connect")]), "no answer to [('1718', 'connect')]"),
    ],
)  # fmt: skip
def test_what_they_say(error: AssertionError, text: str) -> None:
    assert str(error) == text


def test_they_keep_what_they_are_about() -> None:
    fatal = Fatal("x", b"y" * 300)
    assert (fatal.reason, fatal.line) == ("x", b"y" * 300)
    assert Fatal("x").line == b""
    assert Hung("lookup alice").requests == "lookup alice"


@pytest.mark.parametrize("error", [Fatal, Hung])
def test_they_are_failed_assertions(error: type) -> None:
    """Nothing of the code under test that catches its own errors catches these."""
    assert error.__bases__ == (AssertionError,)
