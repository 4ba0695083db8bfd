"""The options that all policy filters have, and the rules that come of them."""

import argparse

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.policy import options
from opensmtpd.mail.policy.action import JUNK_IT, OFF, Action, Response
from opensmtpd.mail.policy.options import Rules


def parser() -> argparse.ArgumentParser:
    """Return one with these options, and with the two that they need beside them."""
    made = argparse.ArgumentParser("filter-x")
    options.add(made)
    made.add_argument("--deadline", type=float, default=60.0)
    made.add_argument("--dns-deadline", type=float, default=5.0)
    return made


def rules(line: str = "", *responses: Response) -> Rules:
    return options.rules(parser().parse_args(line.split()), responses)


def test_without_options_nothing_is_done() -> None:
    assert rules() == Rules((), False, False, OFF, 5.0) == Rules()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--exempt a --exempt /etc/b", Rules(exempt=("a", "/etc/b"))),
        ("--spare-authenticated", Rules(spare_authenticated=True)),
        ("--header", Rules(header=True)),
        ("--dns-failure junk", Rules(dns_failure=JUNK_IT)),
        ("--dns-failure header", Rules(header=True, dns_failure=Response(Action.HEADER))),
        (
            "--dns-failure tempfail:450-x",
            Rules(dns_failure=Response(Action.TEMPFAIL, 451, "450-x")),
        ),
        ("--dns-deadline 2.5 --deadline 3", Rules(deadline=2.5)),
    ],
)
def test_each_option(line: str, expected: Rules) -> None:
    assert rules(line) == expected


@pytest.mark.parametrize("action", list(Action))
def test_a_check_that_marks_the_header_needs_the_message(action: Action) -> None:
    assert rules("", OFF, Response(action)).header is (action is Action.HEADER)


@pytest.mark.parametrize("line", ["--dns-deadline 60", "--dns-deadline 61", "--deadline 5"])
def test_the_dns_has_less_time_than_the_whole_answer(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rules(line)
    assert str(caught.value) == (
        "--dns-deadline is not below --deadline;"
        " the time for the DNS is part of the time for an answer: make it shorter"
    )


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (
            "drop",
            "'drop' is no action; write one of off, header, junk, tempfail, reject, disconnect",
        ),
        ("junk:text", "junk with a text; only reject, disconnect and tempfail have one"),
        (
            "reject:450 x",
            "reject with reply code 450; 4xx is for tempfail, 5xx for reject, both are for"
            " disconnect",
        ),
    ],
)
def test_an_action_that_is_none(value: str, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--dns-failure", value])
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"filter-x: error: argument --dns-failure: {fault}"
    )


def test_the_help_names_all_actions() -> None:
    assert options.ACTION_HELP == (
        "ACTION is one of off, header, junk, tempfail, reject, disconnect"
    )
