"""A DNS of plain data: found, absent and failed, at once or after a wait."""

import asyncio
from types import CoroutineType

import pytest

from opensmtpd.dns import (
    Absent,
    Dns,
    Failed,
    Found,
    Lookup,
    Question,
    RecordType,
    Reply,
    run_lookup,
)
from opensmtpd.testing.zone import Zone

ONE, TWO, NONE = (Question(name, RecordType.A) for name in ("one", "two", "none"))
OTHER = Question("one", RecordType.AAAA)
REPLIES: dict[Question, Reply] = {ONE: Found(("192.0.2.1",)), TWO: Failed("timeout")}
EXPECTED = [Failed("timeout"), Found(("192.0.2.1",)), Absent(), Absent(), Failed("timeout")]
ASKED = [TWO, ONE, NONE, OTHER, TWO]


def lookup() -> Lookup[list[Reply]]:
    """Ask in two steps."""
    first = yield ASKED[:1]
    second = yield ASKED[1:]
    return [*first, *second]


def test_what_is_known_is_there_at_once() -> None:
    zone = Zone(REPLIES)
    assert zone.known(ASKED) == EXPECTED
    assert zone.known([]) == []
    assert (zone.asked, zone.until) == (ASKED, [])


def test_what_is_not_cached_must_be_asked() -> None:
    zone = Zone(REPLIES, cached=False)
    assert zone.known(ASKED) is None
    assert zone.asked == []
    assert asyncio.run(zone.ask(ASKED, 7.5)) == EXPECTED
    assert (zone.asked, zone.until) == (ASKED, [7.5])


@pytest.mark.parametrize("cached", [True, False])
def test_a_lookup_runs_in_it(cached: bool) -> None:
    zone = Zone(REPLIES, cached=cached)
    found = run_lookup(lookup(), zone, 5)
    assert isinstance(found, CoroutineType) is not cached
    if isinstance(found, CoroutineType):
        found = asyncio.run(found)
    assert found == EXPECTED
    assert zone.asked == ASKED


def test_all_steps_of_a_lookup_have_one_deadline() -> None:
    zone = Zone(REPLIES, cached=False)

    async def job() -> float:
        found = run_lookup(lookup(), zone, 5)
        assert isinstance(found, CoroutineType)
        start = asyncio.get_running_loop().time()
        await found
        return start

    start = asyncio.run(job())
    assert len(zone.until) == 2
    assert zone.until[0] == zone.until[1] >= start + 5


def test_replies_may_change() -> None:
    replies = dict(REPLIES)
    zone = Zone(replies)
    del replies[ONE]
    assert zone.known([ONE]) == [Absent()]


def test_calls_are_counted() -> None:
    zone: Dns = Zone({})
    zone.reread_servers()
    zone.save()
    zone.save()
    assert isinstance(zone, Zone)
    assert (zone.reread, zone.saved) == (1, 2)
