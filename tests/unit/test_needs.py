"""What a process says that it does."""

import pytest

from opensmtpd import needs
from opensmtpd.needs import Needs


def test_nothing_is_needed_where_nothing_is_said() -> None:
    assert Needs() == ((), (), False, False, False, False, False, ())


def test_the_needs_of_two_parts_of_a_process() -> None:
    one = Needs(reads=("/a", "/b"), network=True, forks=True, sockets=("/s", "/t"))
    other = Needs(reads=("/b", "/c"), writes=("/d",), locks=True, passes=True, accepts=True)
    other |= Needs(sockets=("/t", "/u"))
    assert one | other == Needs(
        ("/a", "/b", "/c"), ("/d",), True, True, True, True, True, ("/s", "/t", "/u")
    )
    assert one | Needs() == Needs() | one == one


def test_a_program_has_a_sandbox_unless_it_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_sandboxed", True)
    assert needs.sandboxed()
    needs.no_sandbox()
    assert not needs.sandboxed()
