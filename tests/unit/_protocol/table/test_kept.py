"""Answers that are kept: how many, which, and when they are given again."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from opensmtpd._protocol.table.kept import BYTES, ENTRIES, ENTRY_COST, Kept
from opensmtpd._protocol.table.requests import Request, encode_value
from opensmtpd.answer import Offload
from opensmtpd.errors import LocalError, Unavailable
from opensmtpd.table import Service, Table
from unit.support.handlers import explode
from unit.support.lookups import Talk, answer, check, fetch, hello, lookup, update

ALIAS = Request(b"lookup", Service.ALIAS, str, encode_value)
OTHER = Request(b"check", Service.ALIAS, str, encode_value)


# --- the memory -----------------------------------------------------------------------------------


def test_an_answer_and_its_stamp_are_found_with_its_request_and_its_key() -> None:
    memory = Kept()
    memory.keep((ALIAS, b"alice"), (1, "x"), b"found|bob")
    assert memory.find((ALIAS, b"alice")) == ((1, "x"), b"found|bob")
    assert memory.find((ALIAS, b"bob")) is None
    assert memory.find((OTHER, b"alice")) is None
    memory.forget()
    assert memory.find((ALIAS, b"alice")) is None
    assert len(memory) == 0


def test_a_newer_answer_takes_the_place_of_an_older_one() -> None:
    memory = Kept()
    memory.keep((ALIAS, b"alice"), 1, b"found|bob")
    memory.keep((ALIAS, b"alice"), 2, b"not-found")
    assert memory.find((ALIAS, b"alice")) == (2, b"not-found")
    assert len(memory) == 1


def test_the_oldest_go_for_want_of_room() -> None:
    memory = Kept()
    for number in range(ENTRIES):
        memory.keep((ALIAS, b"%d" % number), 1, b"found")
        assert memory.find((ALIAS, b"%d" % number)) == (1, b"found")
    assert len(memory) == ENTRIES // 2
    assert memory.find((ALIAS, b"%d" % (ENTRIES // 2 - 1))) is None
    assert memory.find((ALIAS, b"%d" % (ENTRIES // 2))) == (1, b"found")
    for number in range(ENTRIES - 1):
        memory.keep((ALIAS, b"%d" % number), 2, b"found")
        assert len(memory) < ENTRIES
    assert len(memory) == ENTRIES - 1


def test_an_answer_that_grew_old_is_renewed() -> None:
    memory = Kept()
    memory.keep((ALIAS, b"alice"), 1, b"found|bob")
    for number in range(ENTRIES // 2):
        memory.keep((ALIAS, b"%d" % number), 1, b"found")
    assert memory.find((ALIAS, b"alice")) == (1, b"found|bob")
    memory.keep((ALIAS, b"alice"), 2, b"not-found")
    assert memory.find((ALIAS, b"alice")) == (2, b"not-found")


def test_long_answers_take_the_room_of_many() -> None:
    memory = Kept()
    each = ENTRY_COST + 4 + 2048
    most = 0
    for number in range(ENTRIES):
        memory.keep((ALIAS, b"%04d" % number), 1, b"x" * 2048)
        most = max(most, len(memory))
    assert BYTES - 2 * each < most * each < BYTES + 2 * each
    memory.forget()
    for number in range(ENTRIES // 2):
        memory.keep((ALIAS, b"%04d" % number), 1, b"x")
    assert len(memory) == ENTRIES // 2


# --- the connection -------------------------------------------------------------------------------


class Stamped(Table):
    """Has one value for all keys, and notes what it is asked."""

    services = tuple(Service)

    def __init__(self) -> None:
        self.value: Any = "one"
        self.version: Hashable | None = 1
        self.asked: list[str] = []
        self.act: Callable[[], object] = int
        self.stamps = 0

    def stamp(self, service: Service) -> Hashable | None:
        self.stamps += 1
        return self.version

    def update(self) -> None:
        self.asked.append("update")

    def lookup(self, service: Service, key: str) -> Any:
        self.asked.append(key)
        value = self.value
        self.act()
        return value

    def check(self, service: Service, key: str) -> Any:
        self.asked.append(f"check {key}")
        return self.value == "one"

    def fetch(self, service: Service) -> str:
        self.asked.append("fetch")
        return "192.0.2.1"


FOUND = answer(b"found|one")


def test_a_table_is_asked_once_while_its_stamp_is_the_same() -> None:
    table = Stamped()
    talk = Talk(table)
    assert [talk.say(lookup()) for _ in range(3)] == [FOUND] * 3
    assert talk.say(check()) == answer(b"found", b"check")
    assert talk.say(lookup(b"carol")) == FOUND
    assert talk.say(lookup(id=b"7f")) == answer(b"found|one", id=b"7f")
    assert table.asked == ["alice", "check alice", "carol"]
    assert talk.logged == []


def test_another_stamp_asks_the_table_again() -> None:
    table = Stamped()
    talk = Talk(table)
    assert talk.say(lookup()) == FOUND
    table.value, table.version = "two", 2
    assert talk.say(lookup()) == answer(b"found|two")
    table.value, table.version = None, 3
    assert [talk.say(lookup()) for _ in range(2)] == [answer(b"not-found")] * 2
    assert table.asked == ["alice"] * 3


def test_without_a_stamp_the_table_is_asked_each_time() -> None:
    table = Stamped()
    table.version = None
    talk = Talk(table)
    assert [talk.say(lookup()) for _ in range(3)] == [FOUND] * 3
    assert table.asked == ["alice"] * 3
    assert table.stamps == 3


def test_a_change_while_the_table_is_asked_is_not_missed() -> None:
    """The value was read before it, or behind it: nobody can tell."""
    table = Stamped()
    talk = Talk(table)

    def change() -> None:
        table.value, table.version, table.act = "two", 2, int

    table.act = change
    assert talk.say(lookup()) == FOUND
    table.version = 1  # as if it had never been changed
    assert talk.say(lookup()) == answer(b"found|two")
    assert talk.say(lookup()) == answer(b"found|two")
    assert table.asked == ["alice"] * 2


@pytest.mark.parametrize("service", [Service.ALIAS, Service.REGEX])
def test_a_lookup_and_its_stamps_are_held_together(service: Service) -> None:
    class Held(Stamped):
        holds: Service | None = None

        @contextmanager
        def hold(self, service: Service) -> Iterator[None]:
            self.holds = service
            yield
            self.holds = None

        def stamp(self, service: Service) -> Hashable | None:
            self.asked.append(f"stamp {self.holds}")
            return self.version

    table = Held()
    talk = Talk(table)
    table.act = lambda: table.asked.append(f"lookup {table.holds}")
    assert [talk.say(lookup(service=service.value.encode())) for _ in range(2)] == [FOUND] * 2
    stamp = f"stamp {service}"
    assert table.asked == [stamp, "alice", f"lookup {service}", stamp, "stamp None"]


@pytest.mark.parametrize("error", [KeyError("secret"), SystemExit(), Unavailable("it is down")])
def test_a_hold_that_fails_is_an_error_and_one_answer(error: BaseException) -> None:
    table = Stamped()
    talk = Talk(table)
    table.hold = lambda service: explode(error)  # type: ignore[method-assign]
    said = talk.say(lookup())
    assert said.startswith(answer(b"error|")[:-1])
    assert said.count(b"\n") == 1
    assert b"secret" not in said
    assert table.asked == []
    del table.hold
    assert talk.say(lookup()) == FOUND


@pytest.mark.parametrize("service", [b"auth", b"credentials", b"source", b"relayhost"])
@pytest.mark.parametrize("ask", [lookup, check])
def test_what_is_never_kept(service: bytes, ask: Callable[..., bytes]) -> None:
    table = Stamped()
    talk = Talk(table, hello=hello())
    for _ in range(3):
        talk.say(ask(b"alice:secret", service))
        for job in talk.protocol.dispatcher.take_jobs():
            talk.finish(job)
    assert table.stamps == 0
    assert b"secret" not in repr(vars(talk.protocol._kept)).encode()


def test_lists_are_taken_in_turn_and_updates_made() -> None:
    table = Stamped()
    talk = Talk(table)
    for _ in range(2):
        assert talk.say(fetch()) == answer(b"found|192.0.2.1", b"fetch")
        assert talk.say(update()) == b"update-result|0c7d9dc5|ok\n"
    assert table.asked == ["fetch", "update"] * 2
    assert table.stamps == 0


def test_an_update_forgets_all() -> None:
    table = Stamped()
    talk = Talk(table)
    talk.say(lookup())
    table.value = "two"  # by the same stamp
    assert talk.say(lookup()) == FOUND
    talk.say(update())
    assert talk.say(lookup()) == answer(b"found|two")


def test_an_error_is_not_kept() -> None:
    table = Stamped()
    talk = Talk(table)
    table.act = lambda: explode(Unavailable("it is down"))
    assert talk.say(lookup()) == answer(b"error|it is down")
    table.act, table.value = int, ""  # which smtpd cannot take
    assert talk.say(lookup()).startswith(answer(b"error|")[:-1])
    table.value = "one"
    assert talk.say(lookup()) == FOUND
    assert table.asked == ["alice"] * 3


def test_what_comes_later_is_not_kept() -> None:
    table = Stamped()
    talk = Talk(table)
    for value in ("one", "two"):
        table.value = Offload(value.lower)
        assert talk.say(lookup()) == b""
        assert talk.finish(talk.job()) == answer(b"found|" + value.encode())


@pytest.mark.parametrize("error", [KeyError("secret"), SystemExit(), Unavailable("it is down")])
def test_a_stamp_that_fails_is_an_error_and_one_answer(error: BaseException) -> None:
    class Failing(Stamped):
        def stamp(self, service: Service) -> Hashable | None:
            return explode(error) if self.version == 1 else None

    table = Failing()
    talk = Talk(table)
    said = talk.say(lookup())
    assert said.startswith(answer(b"error|")[:-1])
    assert said.count(b"\n") == 1
    assert b"secret" not in said
    assert len(talk.logged) == 1
    assert "lookup-failed" in talk.logged[0]
    table.version = 2
    assert talk.say(lookup()) == FOUND


def test_also_behind_the_lookup() -> None:
    table = Stamped()
    talk = Talk(table)
    table.act = lambda: setattr(table, "stamp", lambda service: explode(KeyError()))
    said = talk.say(lookup())
    assert said == answer(b"error|KeyError")
    del table.stamp
    assert table.asked == ["alice"]


def test_a_stamp_that_cannot_be_compared_is_an_error() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("no truth")

        __hash__ = None  # type: ignore[assignment]

    table = Stamped()
    table.version = Odd()  # type: ignore[assignment]
    talk = Talk(table)
    assert talk.say(lookup()) == answer(b"error|ValueError")


def test_no_memory_for_it_is_an_error_and_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kept, "keep", lambda *_: explode(MemoryError()))
    talk = Talk(Stamped())
    assert talk.say(lookup()) == answer(b"error|MemoryError")
    assert talk.say(lookup()) == answer(b"error|MemoryError")


def test_matches_are_kept_whole() -> None:
    class Domains(Stamped):
        def lookup(self, service: Service, key: str) -> str | None:
            self.asked.append(key)
            return key if key == "*.example.org" else None

        check = Table.check

    table = Domains()
    talk = Talk(table)
    for _ in range(2):
        assert talk.say(check(b"a.example.org", b"domain")) == answer(b"found", b"check")
        assert talk.say(check(b"example.net", b"domain")) == answer(b"not-found", b"check")
    assert table.asked == [
        *("a.example.org", "*.example.org"),
        *("example.net", "*.net", "*.*", "*"),
    ]


def test_many_at_once_are_answered_in_their_order() -> None:
    talk = Talk(Stamped())
    asked = [b"alice", b"bob", b"alice", b"carol", b"bob"]
    said = talk.say(*[lookup(key, id=b"%x" % at) for at, key in enumerate(asked)])
    assert said == b"".join(answer(b"found|one", id=b"%x" % at) for at in range(5))


def test_a_stamp_is_a_plain_method() -> None:
    with pytest.raises(LocalError, match="write def, not async def"):

        class Waits(Table):
            async def stamp(self, service: Service) -> Hashable | None:  # type: ignore[override]
                return 1


def test_a_stamp_takes_the_service() -> None:
    with pytest.raises(LocalError, match=r"write def stamp\(self, service\)"):

        class Takes(Table):
            def stamp(self) -> Hashable | None:  # type: ignore[override]
                return 1
