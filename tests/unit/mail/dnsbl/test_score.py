"""The findings about a client, added up."""

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
