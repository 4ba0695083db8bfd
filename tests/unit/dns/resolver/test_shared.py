"""Replies that machines share: what is taken of a store, and what is not."""

import time
from collections.abc import Sequence
from typing import Any, cast

import msgpack
import pytest

from opensmtpd.answer import Deferred
from opensmtpd.backends.state.results import UNKNOWN, Kept
from opensmtpd.backends.state.state import LastingState
from opensmtpd.backends.state.steps import VALUE_MAX
from opensmtpd.dns import Absent, Failed, Found, Question, Reply
from opensmtpd.dns.resolver.shared import SharedReplies
from unit.support.dns_lab import MX, PTR, TXT, A, Lab

QUESTION = Question("example.org", A)


class Memory:
    """A store in memory: the methods of a LastingState that replies need."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], tuple[bytes, float]] = {}
        self.away = False

    def get(self, key: Sequence[str]) -> Deferred[Any]:
        value = self.values.get(tuple(key))
        return settled(UNKNOWN if self.away else value and Kept(*value))

    def put(self, key: Sequence[str], value: bytes, seconds: float) -> Deferred[Any]:
        if len(value) > VALUE_MAX:
            raise ValueError
        if not self.away:
            self.values[tuple(key)] = value, seconds
        return settled(UNKNOWN if self.away else True)


def settled(value: object) -> Deferred[Any]:
    deferred: Deferred[Any] = Deferred()
    deferred.settle(value)
    return deferred


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def shared(memory: Memory) -> SharedReplies:
    return SharedReplies(cast("LastingState", memory))


def got(shared: SharedReplies, question: Question = QUESTION) -> tuple[Reply, float] | None:
    ends: list[tuple[Reply, float] | None] = []
    shared.get(question).on_end(lambda value, _: ends.append(value))
    return ends[0]


def put(memory: Memory, content: object, left: float = 60.0, **more: Any) -> None:
    """Put an entry as somebody else might."""
    entry = [more.get("version", 1), content, more.get("expires", time.time() + 60.0)]
    memory.values["A", "example.org"] = msgpack.packb(entry), left


# --- through the resolver -------------------------------------------------------------------------


def test_what_one_machine_has_asked_no_other_asks(lab: Lab, shared: SharedReplies) -> None:
    names = [QUESTION, Question("example.org", MX), Question("example.org", TXT)]
    names += [Question("5.2.0.192.in-addr.arpa", PTR), Question("none.example.org", A)]
    lab.renew(shared=shared)
    first = lab.run(lambda: lab.ask(*names))
    before = len([kind for _, kind in lab.server.asked if kind != "SOA"])
    assert before == len(names)
    lab.renew(shared=shared)  # another machine
    assert lab.run(lambda: lab.ask(*names)) == first
    assert lab.pool.open == {}
    assert lab.pool.service is None
    assert len([kind for _, kind in lab.server.asked if kind != "SOA"]) == before


def test_what_is_shared_is_remembered(lab: Lab, memory: Memory, shared: SharedReplies) -> None:
    put(memory, ["192.0.2.77"])
    lab.renew(shared=shared)
    assert lab.one("example.org", A) == Found(("192.0.2.77",))
    memory.values.clear()
    assert lab.one("example.org", A) == Found(("192.0.2.77",))
    assert lab.asked() == []


def test_what_is_shared_says_nothing_of_the_process(
    lab: Lab, memory: Memory, shared: SharedReplies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be stopped, and only its own replies show that it is not."""
    seen: list[float] = []
    lab.renew(shared=shared)
    monkeypatch.setattr(lab.resolver._heartbeat, "seen", seen.append)
    put(memory, ["192.0.2.77"])
    assert lab.one("example.org", A) == Found(("192.0.2.77",))
    assert seen == []
    assert isinstance(lab.one("alias.example.org", A), Found)
    assert len(seen) == 1


def test_without_the_store_name_servers_are_asked(
    lab: Lab, memory: Memory, shared: SharedReplies
) -> None:
    memory.away = True
    lab.renew(shared=shared)
    assert lab.one("example.org", A) == Found(("192.0.2.1", "192.0.2.2"))
    assert lab.asked() == ["example.org"]


def test_a_poisoned_entry_is_written_over(lab: Lab, memory: Memory, shared: SharedReplies) -> None:
    put(memory, ["not an address"])
    lab.renew(shared=shared)
    assert lab.one("example.org", A) == Found(("192.0.2.1", "192.0.2.2"))
    found = got(shared)
    assert found is not None
    assert found[0] == Found(("192.0.2.1", "192.0.2.2"))


def test_failures_and_what_lasts_for_no_time_are_not_shared(
    lab: Lab, memory: Memory, shared: SharedReplies
) -> None:
    lab.renew(shared=shared)
    assert isinstance(lab.one("refused.example.org", A), Failed)
    assert lab.one("once.example.org", A) == Found(("192.0.2.9",))
    assert memory.values == {}


def test_a_store_that_answers_after_the_wait_is_over(lab: Lab) -> None:
    late: Deferred[Any] = Deferred()

    class Late(Memory):
        def get(self, key: Sequence[str]) -> Deferred[Any]:
            return late

    lab.renew(shared=SharedReplies(cast("LastingState", Late())))
    reply = lab.one("example.org", A, within=0.1)
    assert reply == Failed("no answer in time", ours=True)  # no name server is to blame

    async def job() -> list[Reply]:
        late.settle(None)
        return await lab.ask(QUESTION)

    assert lab.run(job) == [Found(("192.0.2.1", "192.0.2.2"))]


# --- entries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply", [Found(("192.0.2.1", "192.0.2.2")), Absent(), Absent(nxdomain=True)]
)
def test_a_reply_comes_back(shared: SharedReplies, reply: Reply) -> None:
    shared.put(QUESTION, reply, 100.0)
    found = got(shared)
    assert found is not None
    assert found[0] == reply
    assert 90 < found[1] <= 100
    assert found[0].received_at == 0.0
    assert got(shared, Question("example.org", TXT)) is None
    assert got(shared, Question("other.example.org", A)) is None


def test_text_keeps_all_its_octets(shared: SharedReplies) -> None:
    question = Question("example.org", TXT)
    reply = Found(("".join(map(chr, range(256))), ""))
    shared.put(question, reply, 100.0)
    found = got(shared, question)
    assert found is not None
    assert found[0] == reply


def test_a_reply_that_is_too_large_is_not_shared(memory: Memory, shared: SharedReplies) -> None:
    shared.put(Question("example.org", TXT), Found(("x" * 65_535, "y" * 1000)), 100.0)
    assert memory.values == {}


@pytest.mark.parametrize(
    ("reply", "most"), [(["192.0.2.1"], 86400.0), (True, 10800.0), (False, 10800.0)]
)
def test_nothing_is_good_for_longer_than_the_cache_keeps_it(
    memory: Memory, shared: SharedReplies, reply: object, most: float
) -> None:
    put(memory, reply, left=1e9, expires=time.time() + 1e9)
    found = got(shared)
    assert found is not None
    assert found[1] == most


def test_the_shorter_of_two_clocks_counts(memory: Memory, shared: SharedReplies) -> None:
    put(memory, ["192.0.2.1"], left=5.0)
    found = got(shared)
    assert found is not None
    assert found[1] == 5.0
    put(memory, ["192.0.2.1"], expires=time.time() + 10.0)
    found = got(shared)
    assert found is not None
    assert 5 < found[1] <= 10


@pytest.mark.parametrize(
    "content",
    [
        [],
        None,
        1,
        "192.0.2.1",
        ["192.0.2.1\r\n"],
        ["192.0.2.001"],
        ["2001:db8::1"],
        [b"192.0.2.1"],
        [["192.0.2.1"]],
        {"a": 1},
        ["192.0.2.1"] * 101,
    ],
)
def test_records_that_no_name_server_could_have_sent_are_none(
    memory: Memory, shared: SharedReplies, content: object
) -> None:
    put(memory, content)
    assert got(shared) is None


@pytest.mark.parametrize(
    "more",
    [
        {"version": 2},
        {"version": "1"},
        {"expires": 0.0},
        {"expires": float("nan")},
        {"expires": "soon"},
        {"expires": None},
    ],
)
def test_entries_of_other_forms_are_none(
    memory: Memory, shared: SharedReplies, more: dict[str, Any]
) -> None:
    put(memory, ["192.0.2.1"], **more)
    assert got(shared) is None


@pytest.mark.parametrize("value", [b"", b"\xc1", b"\x93", b"\x80", b"\x90", b"x" * 1000])
def test_garbage_is_none(memory: Memory, shared: SharedReplies, value: bytes) -> None:
    memory.values["A", "example.org"] = value, 60.0
    assert got(shared) is None
