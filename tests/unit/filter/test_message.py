"""The kinds of message handlers, before anybody overrides them."""

from opensmtpd.filter import HeldMessage


def test_a_held_message_does_nothing_by_itself() -> None:
    held = HeldMessage()
    held.header([b"A: 1"])
    held.body([b"x"])
    assert held.end() == ()
