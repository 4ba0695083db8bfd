"""What can be told of a hash by its text; more of it is in ``test_passwords``."""

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.table.passwords.inspection import Inspection, check_rows, inspect, locked

MD5 = "$1$salt$iRWCvHGyVwvuTMbLaAaW8."


@pytest.mark.parametrize("hash", ["", "x", "*", "!", "*LK*", f"!{MD5}"])
def test_locked_accounts(hash: str) -> None:
    assert locked(hash)
    assert inspect(hash) == Inspection("", True, "")


@pytest.mark.parametrize("hash", ["xx", MD5, "secret"])
def test_accounts_that_are_not_locked(hash: str) -> None:
    assert not locked(hash)


@pytest.mark.parametrize(
    ("hash", "named"),
    [(MD5, "an MD5-crypt"), ("$2b$05$" + 53 * ".", "a bcrypt"), ("$new$", "an unknown kind of")],
)
def test_kinds_have_their_article(hash: str, named: str) -> None:
    assert inspect(hash).named() == named


def test_rows_that_can_be_checked_are_passed_over() -> None:
    check_rows([(1, "alice", MD5), (2, "bob", "*")], "/etc/mail/passwd")
    with pytest.raises(ConfigError, match=r"^/etc/mail/passwd:3: carol: .* \(and 1 more\)"):
        check_rows([(1, "a", MD5), (3, "carol", "$1$"), (4, "d", "$1$")], "/etc/mail/passwd")
