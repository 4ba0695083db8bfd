"""A DNS of plain data: found, absent and failed, at once or after a wait."""

import time
from typing import Any

import pytest

from opensmtpd.answer import Deferred
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
NOWHERE, NO_DATA = Absent(nxdomain=True), Absent()
OTHER = Question("one", RecordType.AAAA)
REPLIES: dict[Question, Reply] = {ONE: Found(("192.0.2.1",)), TWO: Failed("timeout")}
EXPECTED = [Failed("timeout"), Found(("192.0.2.1",)), NOWHERE, NO_DATA, Failed("timeout")]
ASKED = [TWO, ONE, NONE, OTHER, TWO]


def end_of(found: object) -> Any:
    """Return the value of a Deferred that has its end."""
    assert isinstance(found, Deferred)
    values: list[Any] = []
    found.on_end(lambda value, _: values.append(value))
    [value] = values
    return value


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
    assert end_of(zone.ask(ASKED, 7.5)) == EXPECTED
    assert (zone.asked, zone.until) == (ASKED, [7.5])


@pytest.mark.parametrize("cached", [True, False])
def test_a_lookup_runs_in_it(cached: bool) -> None:
    zone = Zone(REPLIES, cached=cached)
    found = run_lookup(lookup(), zone, 5)
    assert isinstance(found, Deferred) is not cached
    assert (found if cached else end_of(found)) == EXPECTED
    assert zone.asked == ASKED


def test_all_steps_of_a_lookup_have_one_deadline() -> None:
    zone = Zone(REPLIES, cached=False)

    start = time.monotonic()
    assert end_of(run_lookup(lookup(), zone, 5)) == EXPECTED
    assert len(zone.until) == 2
    assert zone.until[0] == zone.until[1] >= start + 5


def test_replies_may_change() -> None:
    replies = dict(REPLIES)
    zone = Zone(replies)
    del replies[ONE]
    assert zone.known([ONE]) == [NOWHERE]


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("a.b.example", NO_DATA),  # it has an address
        ("b.example", NO_DATA),  # names below it have
        ("c.a.b.example", NOWHERE),
        ("xa.b.example", NOWHERE),
        ("a.b", NOWHERE),
        ("none.b.example", NOWHERE),  # the mapping says so of another type
    ],
)
def test_which_names_exist(name: str, reply: Reply) -> None:
    none = Question("none.b.example", RecordType.TXT)
    zone = Zone({Question("a.b.example", RecordType.A): Found(("192.0.2.1",)), none: NOWHERE})
    assert zone.known([Question(name, RecordType.MX)]) == [reply]


def test_what_is_begun_is_kept() -> None:
    zone: Dns = Zone({})
    zone.start([ONE, TWO])
    zone.start([ONE])
    assert isinstance(zone, Zone)
    assert (zone.started, zone.asked) == ([ONE, TWO, ONE], [])


def test_calls_are_counted() -> None:
    zone: Dns = Zone({})
    zone.reread_servers()
    zone.save()
    zone.save()
    assert isinstance(zone, Zone)
    assert (zone.reread, zone.saved) == (1, 2)
