"""filter-greylist: who need not wait any more, and until when."""

import pytest

from opensmtpd.backends.state.steps import NUMBER_MAX
from unit.support.greylisted import HERE, SPF, Greylisted

DAY = 86400
OTHER = {"sender": b"carol@other.example", "recipients": [b"dave@example.com"]}
"""Another message of the same client."""
ELSEWHERE = {"source": b"203.0.113.5:1"}


def pass_once(around: Greylisted, number: int) -> bool:
    """Have a sender wait and pass; return whether it had to wait."""
    sender = b"sender-%c@remote.example" % (ord("a") + number)
    waits = not around.passes(sender=sender)
    around.wait(300)
    assert around.passes(sender=sender)
    return waits


# --- how often ------------------------------------------------------------------------------------


def test_one_pass_makes_the_network_white() -> None:
    around = Greylisted().passed()
    outcome = around.send(**OTHER, source=b"192.0.2.200:1")
    assert outcome.accepted
    assert outcome.message.startswith(outcome.received)
    assert not around.passes(**ELSEWHERE)


def test_where_nobody_becomes_white() -> None:
    """Each attempt has to wait, and is known afterwards."""
    around = Greylisted("--auto-white 0").passed()
    assert around.passes()
    assert not around.passes(**OTHER)
    around.wait(300)
    assert around.passes(**OTHER)
    assert not around.passes(sender=b"erin@remote.example")


def test_where_nobody_becomes_white_users_make_nobody() -> None:
    around = Greylisted("--auto-white 0", SPF)
    around.send(username=b"alice", recipients=[b"bob@remote.example"])
    assert around.store.steps() == ["white spf:remote.example"]
    assert not around.passes()


def test_five_passes() -> None:
    around = Greylisted("--auto-white 5")
    waited = []
    for number in range(7):
        waited.append(pass_once(around, number))
        around.wait(3600)
    assert waited == [True] * 5 + [False] * 2


def test_of_the_passes_of_an_hour_one_counts() -> None:
    around = Greylisted("--auto-white 2")
    assert [pass_once(around, number) for number in range(4)] == [True] * 4
    around.wait(3600)
    assert [pass_once(around, number) for number in range(4, 6)] == [True, False]


def test_a_known_attempt_counts_once() -> None:
    """As in postgrey: what passes again says nothing new of a client."""
    around = Greylisted("--auto-white 2").passed()
    for _ in range(5):
        around.wait(3600)
        assert around.passes()
    assert not around.passes(**OTHER)


def test_the_count_that_nobody_reaches() -> None:
    around = Greylisted("--auto-white 999999")
    assert around.filter.flags.auto_white < NUMBER_MAX


# --- for how long ---------------------------------------------------------------------------------


def test_a_white_network_is_forgotten() -> None:
    around = Greylisted().passed()
    around.wait(30 * DAY)
    assert not around.passes(**OTHER)


def test_each_message_keeps_a_network_white() -> None:
    around = Greylisted().passed()
    for _ in range(4):
        around.wait(29 * DAY)
        assert around.passes(**OTHER)


def test_the_time_of_the_command_line() -> None:
    around = Greylisted("-whiteexp 1000").passed()
    around.wait(999)
    assert around.passes(**OTHER)
    around.wait(1000)
    assert not around.passes(**OTHER)


def test_a_clock_that_is_set_back() -> None:
    """Who was white, or had passed, in what is the future now, waits as anybody."""
    around = Greylisted().passed()
    around.wait(-DAY)
    assert not around.passes()
    around.wait(300)
    assert around.passes()


# --- domains --------------------------------------------------------------------------------------


def test_a_domain_that_spf_passes_for() -> None:
    """All its clients are white, and its network is not."""
    zone = {
        "remote.example": "v=spf1 ip4:192.0.2.5 ip4:203.0.113.5 -all",
        "other.example": "v=spf1 ip4:192.0.2.5 -all",
    }
    around = Greylisted("", zone).passed()
    assert around.passes(**ELSEWHERE)
    assert around.passes(sender=b"erin@remote.example", recipients=[b"dave@example.com"])
    assert not around.passes(source=b"198.51.100.5:1")
    assert not around.passes(**OTHER)


def test_a_white_network_makes_no_domain_white() -> None:
    around = Greylisted("", SPF).passed(sender=b"carol@nospf.example")
    assert around.passes()
    around.wait(30 * DAY)
    assert not around.passes()


def test_five_passes_of_a_domain() -> None:
    around = Greylisted("--auto-white 5", SPF)
    waited = []
    for number in range(6):
        waited.append(pass_once(around, number))
        around.wait(3600)
    assert waited == [True] * 5 + [False]


# --- those whom users write to --------------------------------------------------------------------


@pytest.mark.parametrize("ours", [{"username": b"alice"}, {"source": b"127.0.0.1:1"}])
@pytest.mark.parametrize("line", ["", "--auto-white 5"])
def test_who_is_written_to_may_answer(ours: dict[str, bytes], line: str) -> None:
    around = Greylisted(line, SPF)
    around.send(**ours, recipients=[b"bob@Remote.Example", b"carol@other.example", b"root"])
    by = 5 if line else 1
    assert around.store.steps() == [
        *(f"white spf:remote.example by {by}", f"white spf:other.example by {by}")
    ]
    outcome = around.send()
    assert outcome.accepted
    assert outcome.message.startswith(outcome.received)
    assert outcome.log == ()
    assert around.passes(sender=b"erin@remote.example")


def test_who_only_says_to_be_the_one_waits() -> None:
    around = Greylisted("", SPF)
    around.send(username=b"alice", recipients=[b"bob@remote.example", b"carol@nospf.example"])
    assert not around.passes(**ELSEWHERE)
    assert not around.passes(sender=b"carol@nospf.example")


@pytest.mark.parametrize("ours", [{"username": b"alice"}, {"source": b"127.0.0.1:1"}])
def test_an_answer_without_a_sender_makes_nobody_white(ours: dict[str, bytes]) -> None:
    """It is the answer of a program: whoever has one sent to himself would pass."""
    around = Greylisted("", SPF)
    assert around.send(**ours, sender=b"", recipients=[b"bob@remote.example"]).accepted
    assert around.store.steps() == []
    assert not around.passes()


@pytest.mark.parametrize("record", ["v=spf1 all", "v=spf1 mx +ALL", "v=spf1 redirect=all.example"])
def test_a_domain_that_lets_everybody_send(record: str) -> None:
    """All the world would pass with what one of it did: its clients are known by their networks."""
    zone = {"remote.example": record, "all.example": "v=spf1 +all"}
    around = Greylisted("", zone)
    around.send(username=b"alice", recipients=[b"bob@remote.example"])
    around.passed()
    assert around.passes()
    assert not around.passes(source=b"203.0.113.5:1")


def test_it_is_forgotten_after_a_time() -> None:
    around = Greylisted("", SPF)
    around.send(username=b"alice", recipients=[b"bob@remote.example"])
    around.wait(30 * DAY)
    assert not around.passes()


def test_strangers_make_nobody_white() -> None:
    around = Greylisted("", SPF).passed()
    around.send(recipients=[b"carol@remote.example"])
    assert around.store.steps() == [f"white {HERE}", "white spf:remote.example"]


def test_a_recipient_that_was_refused_makes_nobody_white() -> None:
    """A refusal of smtpd, or of another filter, is reported as one."""
    around = Greylisted("", SPF)
    around.send(username=b"alice", recipients=[b"bob@remote.example> NOTIFY=BOGUS <"])
    assert around.store.steps() == []
    assert not around.passes()
