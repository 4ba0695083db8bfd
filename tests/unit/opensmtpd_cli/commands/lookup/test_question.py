"""The question that the words of a command line ask; ``test_command.py`` asks them of tables."""

import click
import pytest

from opensmtpd_cli.commands.lookup.question import TableQuestion, asked
from opensmtpd_cli.smtpdconf.named import NamedTable
from opensmtpd_cli.smtpdconf.table_line import TableLine
from opensmtpd_cli.smtpdconf.table_uses import USES


def used(*words: str) -> NamedTable:
    return NamedTable(TableLine("t", "x", "/t"), [USES[each] for each in words])


@pytest.mark.parametrize(
    ("words", "key", "wanted"),
    [
        ("action alias", "k", TableQuestion("lookup", "alias", "k")),
        ("action virtual", "k", TableQuestion("lookup", "alias", "k")),
        ("action userbase", "k", TableQuestion("lookup", "userinfo", "k")),
        ("action src", None, TableQuestion("fetch", "source", None)),
        ("action host", None, TableQuestion("fetch", "relayhost", None)),
        ("action domain", "k", TableQuestion("lookup", "relayhost", "k")),
        ("listen auth", "k", TableQuestion("lookup", "credentials", "k")),
        ("listen senders", "k", TableQuestion("lookup", "mailaddrmap", "k")),
        ("match domain", "k", TableQuestion("check", "domain", "k")),
        ("match src", "k", TableQuestion("check", "netaddr", "k")),
        ("match regex", "k", TableQuestion("check", "regex", "k")),
        ("filter mail-from", "k", TableQuestion("check", "mailaddr", "k")),
    ],
)
def test_the_service_of_a_use(words: str, key: str | None, wanted: TableQuestion) -> None:
    assert asked(used(words), None, key, check=False, every=False) == wanted


def test_a_service_that_is_given_is_looked_up() -> None:
    question = asked(used("match domain"), "domain", "k", check=False, every=False)
    assert question == TableQuestion("lookup", "domain", "k")
    question = asked(used("match domain"), "alias", "k", check=True, every=False)
    assert question == TableQuestion("check", "alias", "k")


def test_uses_with_one_service_are_one() -> None:
    question = asked(used("action alias", "action virtual"), None, "k", check=False, every=False)
    assert question == TableQuestion("lookup", "alias", "k")


def test_uses_with_several_services() -> None:
    with pytest.raises(click.UsageError) as error:
        asked(used("listen auth", "match auth"), None, "k", check=False, every=False)
    assert error.value.message == (
        "smtpd asks table t for credentials and string and mailaddr; "
        "say --service credentials or --service string or --service mailaddr"
    )


@pytest.mark.parametrize(
    ("words", "service"), [("action alias", "alias"), ("action virtual", "virtual")]
)
def test_all_keys_of_a_use(words: str, service: str) -> None:
    question = asked(used(words), None, "k", check=False, every=True)
    assert question == TableQuestion("lookup", service, "k")


def test_all_keys_of_both_uses() -> None:
    both = used("action virtual", "action alias")
    with pytest.raises(click.UsageError, match="say --service alias or --service virtual"):
        asked(both, None, "k", check=False, every=True)
    assert asked(both, "virtual", "k", check=False, every=True).service == "virtual"
