"""A bound on the disk: the message that finds no room is refused, under any policy."""

from opensmtpd._protocol.filter.data_lines import Policy
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.filter import HeldMessage
from unit.support.handlers import COMMIT, POLICIES, Messages
from unit.support.talk import TEMPFAIL, Talk, data, datalines, report, request, result

OTHER = b"00000000000000aa"


@POLICIES
def test_one_message_takes_all_and_the_next_is_refused(policy: Policy) -> None:
    big, small = data(b"a: b", b"", b"x" * 900), data(b"a: b", b"", b"y" * 200, session=OTHER)
    budget = Budget(0, 0, disk=1000)
    talk = Talk(Messages(HeldMessage), on_failure=policy, budget=budget)
    assert talk.say(big) == b""
    assert talk.say(small, data(b".", session=OTHER)) == datalines(b".", session=OTHER)
    assert talk.say(request(b"commit", session=OTHER)) == result(TEMPFAIL, session=OTHER)
    [line] = talk.logged
    assert "error=SpoolError" in line
    assert line.endswith('reason="all spools together take 1000 bytes on disk"')
    assert talk.say(data(b"."), COMMIT) == (
        datalines(b"a: b", b"", b"x" * 900, b".") + result(b"proceed")
    )
    assert budget.on_disk == 0


def test_the_room_of_a_client_that_vanishes_is_free_again() -> None:
    budget = Budget(0, 0, disk=1000)
    talk = Talk(Messages(HeldMessage), budget=budget)
    talk.say(data(b"a: b", b"", b"x" * 900))
    assert budget.on_disk == 907
    talk.say(report(b"link-disconnect"))
    assert budget.on_disk == 0
