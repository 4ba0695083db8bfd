"""The order of steps is one that libmilter takes."""

import pytest

from opensmtpd.mail.milter.commands import Command
from opensmtpd.mail.milter.order import CONTENT, IN_MESSAGE, MESSAGE, ORDER, Phase

LIBMILTER = {
    Phase.SESSION: {Command.HELO, Command.MAIL},
    Phase.MAIL: {Command.RCPT},
    Phase.RCPT: {
        *(Command.RCPT, Command.DATA, Command.HEADER, Command.EOH, Command.BODY, Command.EOM)
    },
    Phase.DATA: {Command.HEADER, Command.EOH},
    Phase.HEADER: {Command.HEADER, Command.EOH},
    Phase.EOH: {Command.BODY, Command.EOM},
    Phase.BODY: {Command.BODY, Command.EOM},
}
"""The commands that follow each other in its state table; abort and quit are left out."""


@pytest.mark.parametrize("phase", LIBMILTER)
def test_what_follows_what(phase: Phase) -> None:
    ours = {command for command, (before, _) in ORDER.items() if phase in before}
    assert ours <= LIBMILTER[phase]
    assert ours


def test_a_session_begins_with_the_client() -> None:
    assert [command for command, (before, _) in ORDER.items() if Phase.READY in before] == [
        Command.CONNECT
    ]


def test_the_phases_of_a_message() -> None:
    assert {after for command, (_, after) in ORDER.items() if command in IN_MESSAGE} == {
        *(MESSAGE - {Phase.MAIL}),
    }
    assert {Phase.HEADER, Phase.EOH, Phase.BODY, Phase.EOM} == CONTENT
