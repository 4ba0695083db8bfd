"""The findings about a client, added up."""

import pytest

from opensmtpd.mail.dnsbl.findings import ListFinding
from opensmtpd.mail.dnsbl.score import Tally
from unit.support.dnsbl_findings import GOOD, KEY, WHITE, A, B, listed, tally, unknown


def test_scores_of_all_phases_add_up() -> None:
    made = tally(listed(A), unknown(KEY))
    made.put("helo", [listed(B)])
    made.put("mail-from", [listed(GOOD), listed(WHITE)])
    assert made.score == 1 + 3 - 2
    made.put("helo", [])  # another HELO, which ends the transaction
    assert made.score == 1
    assert [each.list for each in made.listed] == [A]
    assert made.unknown == [unknown(KEY)]


def test_who_is_allowed_and_who_may_be() -> None:
    nobody, white, may_be = (
        tally(listed(A), unknown(B)),
        tally(listed(WHITE)),
        tally(unknown(WHITE)),
    )
    assert [each.allowed for each in (nobody, white, may_be)] == [False, True, False]
    assert [each.doubtful for each in (nobody, white, may_be)] == [False, False, True]


def test_of_nobody_nothing_is_known() -> None:
    nobody = Tally("1718c5e591926d28")
    assert nobody.session == "1718c5e591926d28"
    assert (list(nobody), nobody.listed, nobody.score, nobody.unknown) == ([], [], 0, [])
    assert not nobody.allowed
    assert not nobody.doubtful


def test_findings_come_in_the_order_of_the_phases() -> None:
    made = tally(listed(A), unknown(B))
    made.put("helo", [listed(GOOD)])
    made.put("mail-from", [unknown(KEY)])
    assert list(made) == [listed(A), unknown(B), listed(GOOD), unknown(KEY)]
    assert made.unknown == [unknown(B), unknown(KEY)]


@pytest.mark.parametrize(
    ("phase", "left"),
    [
        ("connect", []),
        ("helo", [listed(A)]),
        ("mail-from", [listed(A), listed(B)]),
        ("another", [listed(A), listed(B), listed(GOOD)]),
    ],
)
def test_a_phase_that_comes_again_ends_those_after_it(phase: str, left: list[ListFinding]) -> None:
    made = tally(listed(A))
    made.put("helo", [listed(B)])
    made.put("mail-from", [listed(GOOD)])
    made.put(phase, [unknown(KEY)])
    assert list(made) == [*left, unknown(KEY)]


def test_an_allow_list_has_no_score() -> None:
    made = tally(listed(WHITE), listed(B), listed(B))
    assert (made.score, made.allowed) == (6, True)
    assert made.listed == [listed(B), listed(B)]


def test_a_list_that_might_count_for_the_client_makes_doubt() -> None:
    assert [tally(unknown(each)).doubtful for each in (A, GOOD, WHITE)] == [False, True, True]
    assert not tally(listed(WHITE), listed(GOOD)).doubtful
