"""However smtpd's bytes are cut and ours are read, each session hears the same."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.filter.spool import Budget
from opensmtpd.testing import Smtpd
from property.storm import Storm
from property.tame import Tame


def recorded(seed: int, kind: str, version: str, places: int) -> bytes:
    """Return what smtpd sends while a few sessions run at once."""
    smtpd = Smtpd(version, places=places)
    clients = Storm(Random(seed), smtpd, FilterConnection(Tame(kind)))
    clients.run(6, at_once=3)
    clients.pump()
    for client in smtpd.clients:
        client.vanish()
    clients.pump()
    return bytes(clients.sent)


def answers(kind: str, data: bytes, cuts: list[int], greedy: bool) -> dict[bytes, list[bytes]]:
    """Feed ``data`` cut at ``cuts``; read after each piece, or (greedy) only at the end.

    Returns what was written for each session: its decisions in order, then for each place in the
    chain the lines of its messages. (How those of two places mix means nothing to smtpd.)
    """
    budget = Budget()
    protocol = FilterConnection(Tame(kind), budget=budget)
    out = b""
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        protocol.receive(data[start:end], 0.0)
        while not greedy and (piece := protocol.data_to_send()):
            out += piece
    while piece := protocol.data_to_send():
        out += piece
    assert (protocol.session_count, protocol.message_count, protocol.held_bytes) == (0, 0, 0)
    assert (budget.used, budget.reserved) == (0, 0)
    written: dict[bytes, list[bytes]] = {}
    for line in out.split(b"\n"):
        fields = line.split(b"|", 3)
        key = b"|".join(fields[: 3 if line.startswith(b"filter-dataline") else 2])
        written.setdefault(key, []).append(line)
    return written


@settings(max_examples=80)
@given(
    st.integers(0, 2**64),
    st.sampled_from(["", "held", "edited", "streamed", "sum", "edit", "double"]),
    st.sampled_from(["6.8.0", "7.6.0", "7.9.0"]),
    st.sampled_from([1, 2]),
    st.data(),
)
def test_cuts_change_nothing(
    seed: int, kind: str, version: str, places: int, data: st.DataObject
) -> None:
    stream = recorded(seed, kind, version, places)
    linewise = [at + 1 for at, byte in enumerate(stream[:-1]) if byte == ord("\n")]
    expected = answers(kind, stream, linewise, greedy=False)
    assert expected
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=40).map(sorted), "cuts")
    assert answers(kind, stream, cuts, greedy=False) == expected
    assert answers(kind, stream, cuts, greedy=True) == expected
    assert answers(kind, stream, [], greedy=False) == expected


@settings(max_examples=20)
@given(st.integers(0, 2**64), st.sampled_from(["", "sum", "edit", "double"]))
def test_byte_by_byte_changes_nothing(seed: int, kind: str) -> None:
    stream = recorded(seed, kind, "7.6.0", 1)
    assert answers(kind, stream, list(range(1, len(stream))), greedy=False) == answers(
        kind, stream, [], greedy=False
    )
