"""X-Spam fields of the client, which go."""

import pytest

from opensmtpd.mail.spam_fields import Cleaner

RECEIVED = [
    b"Received: from remote (remote [192.0.2.5])",
    b"\tby mail.example.org (OpenSMTPD) with ESMTP id 1",
    b"\tfor <alice@example.com>;",
]
MESSAGE = [
    b"X-Spam: Yes",  # smtpd's own
    b"X-Spam-Reason: rdns; 192.0.2.5 has no name in the DNS",
    *RECEIVED,
    b"Received: from inside by remote",
    b"x-spam: No",
    b"Subject: X-Spam: No",
    b"X-Spam-Report: fine",
    b"  X-Spam: folded",
    b"\tand more",
    b"X-Other: stays",
    b" X-Spam: folded",
    b"X-SPAM-DNSWL: Listed at w.example",
]
CLEAN = [
    *MESSAGE[:6],
    b"Subject: X-Spam: No",
    b"X-Other: stays",
    b" X-Spam: folded",
]


def test_the_clients_fields_go_and_all_others_stay() -> None:
    assert Cleaner().clean(MESSAGE) == CLEAN


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_same_in_runs(size: int) -> None:
    cleaner = Cleaner()
    runs = [MESSAGE[at : at + size] for at in range(0, len(MESSAGE), size)]
    assert [line for run in runs for line in cleaner.clean(run)] == CLEAN


def test_a_run_that_stays_is_the_same_object() -> None:
    run = [*RECEIVED, b"Subject: x"]
    assert Cleaner().clean(run) is run


SCORED = [
    b"X-SenderScore: 5",  # a filter's before this one
    *RECEIVED,
    b"X-SenderScore : 100",
    b"\tX-Other: folded",
    b"x-senderscore:",
    b"X-Spam: No",
    b"X-SenderScores: 100",
    b"X-SenderScore",
]


@pytest.mark.parametrize("size", [1, 3, 20])
def test_fields_of_another_name(size: int) -> None:
    cleaner = Cleaner(lambda name: name == b"x-senderscore")
    runs = [SCORED[at : at + size] for at in range(0, len(SCORED), size)]
    assert [line for run in runs for line in cleaner.clean(run)] == [
        b"X-SenderScore: 5",
        *RECEIVED,
        b"X-Spam: No",
        b"X-SenderScores: 100",
    ]


def test_names_are_asked_for_in_lower_case() -> None:
    asked: list[bytes] = []
    cleaner = Cleaner(lambda name: bool(asked.append(name)))  # type: ignore[func-returns-value]
    cleaner.clean([*RECEIVED, b"To: a", b" folded", b"X-ABC\t : b", b"", b": c"])
    assert asked == [b"to", b"x-abc", b"", b""]
