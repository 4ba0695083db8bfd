"""Conditions with a table, and without."""

import pytest

from opensmtpd_cli.smtpdconf.directives import Condition
from opensmtpd_cli.smtpdconf.grammar.conditions import with_or_without, with_table
from unit.support.smtpd_conf import named, words


@pytest.mark.parametrize(("text", "regex"), [("<t> tls", False), ("regex <t> tls", True)])
def test_a_table_behind_a_word(text: str, regex: bool) -> None:
    for reader in (with_table, with_or_without):
        found = words(text)
        wanted = Condition("from", "auth", True, named("t"), regex)
        assert reader(found, "from", "auth", negated=True) == wanted
        assert found.follows("tls")
        assert found.understood


def test_a_word_that_stands_alone() -> None:
    found = words("tls")
    assert with_or_without(found, "auth", negated=False) == Condition("auth")
    assert found.understood
    assert with_table(found, "helo", negated=False) == Condition("helo")
    assert not found.understood
