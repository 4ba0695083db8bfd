"""Whatever clients and handlers do: no illegal line, no hung request, nothing left behind."""

from typing import Literal, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.testing import Smtpd
from property.hostile import Dice, Hostile
from property.storm import Storm

EXAMPLES, SESSIONS = 250, 40


class Weather(NamedTuple):
    seed: int
    version: str
    places: int
    on_failure: Literal["tempfail", "pass"]
    memory: int
    temper: float
    patient: bool


WEATHERS = st.builds(
    Weather,
    seed=st.integers(0, 2**64),
    version=st.sampled_from(["6.8.0", "7.6.0", "7.9.0"]),
    places=st.sampled_from([1, 1, 2]),
    on_failure=st.sampled_from(["tempfail", "pass"]),
    memory=st.sampled_from([0, 5000, 1 << 24]),  # spools in files, in both, in memory
    temper=st.sampled_from([0.02, 0.1, 0.5]),
    patient=st.booleans(),  # do the clients wait for what is late?
)


def silent(event: str, session: str | None = None, **fields: object) -> None:
    """Make text of the fields, as a log would."""
    for value in fields.values():
        str(value)


def storm(weather: Weather) -> Smtpd:
    """Send SESSIONS hostile clients through a hostile filter."""
    dice = Dice(weather.seed)
    dice.temper = weather.temper
    budget = Budget(weather.memory, weather.memory)
    filter = Hostile(dice)
    protocol = FilterConnection(
        filter, deadline=50.0, on_failure=weather.on_failure, log=silent, budget=budget
    )
    smtpd = Smtpd(weather.version, places=weather.places)
    clients = Storm(dice, smtpd, protocol)
    clients.run(SESSIONS)
    if weather.patient:
        clients.expire()
        assert smtpd.hung() == []
    for client in smtpd.clients:
        client.vanish()
    clients.pump()
    left = (protocol.session_count, protocol.message_count, protocol.held_bytes, budget.used)
    assert (*left, budget.reserved) == (0, 0, 0, 0, 0)
    # What on_link_disconnect began may go on; nothing else may, for nobody would hear of it.
    assert all(job.cancelled for job in clients.jobs if job.owner is not None)
    clients.expire()
    assert protocol.dispatcher.next_deadline() is None
    if weather.places == 1:
        check_messages(smtpd, filter)
    return smtpd


def check_messages(smtpd: Smtpd, filter: Hostile) -> None:
    """What was accepted and not edited is what came, perhaps with lines in front."""
    for client in smtpd.clients:
        messages = [transaction for transaction in client.transactions if transaction.sent]
        edited = filter.edited.get(client.id.decode(), [])
        for transaction, free in zip(messages, edited, strict=True):
            if transaction.fate == "accepted" and not free:
                assert transaction.lines[-len(transaction.sent) :] == transaction.sent


def test_ten_thousand_hostile_sessions() -> None:
    survived = messages = 0

    @settings(max_examples=EXAMPLES)
    @given(WEATHERS)
    def storms(weather: Weather) -> None:
        nonlocal survived, messages
        smtpd = storm(weather)
        survived += len(smtpd.clients)
        messages += sum(len(client.transactions) for client in smtpd.clients)

    storms()
    assert survived >= 10_000
    assert messages >= 5_000
