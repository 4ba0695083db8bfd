"""The table protocol line by line: what smtpd asks and what it gets for an answer."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from opensmtpd.errors import ConfigError, HandlerTimeout, LocalError, VersionError
from opensmtpd.queries import Service
from opensmtpd.table import Table
from opensmtpd.table_protocol import TableProtocol
from opensmtpd.work import Offload
from unit.handlers import WAYS, explode
from unit.lookups import (
    CUTS,
    HELLO,
    ID,
    Acts,
    Rows,
    SlowRows,
    Talk,
    answer,
    check,
    fetch,
    hello,
    lookup,
    request,
    update,
)

BOTH = pytest.mark.parametrize("kind", [Rows, SlowRows], ids=["plain", "async"])
ONE, TWO, THREE = b"00000001", b"00000002", b"00000003"


# --- the handshake --------------------------------------------------------------------------------


@CUTS
@pytest.mark.parametrize("version", [b"7.9.0", b"7.9.0-portable", b"7.10.0", b"8.0.0p1"])
def test_the_handshake(version: bytes, size: int) -> None:
    talk = Talk(Rows(), hello=b"")
    assert talk.say(hello(version)[:-1], size=size) == b""
    assert not talk.protocol.ready
    assert talk.say(b"\n") == (
        b"register|alias\nregister|domain\nregister|credentials\nregister|netaddr\n"
        b"register|userinfo\nregister|source\nregister|mailaddr\nregister|addrname\n"
        b"register|mailaddrmap\nregister|relayhost\nregister|string\nregister|regex\n"
        b"register|auth\nregister|ready\n"
    )
    assert talk.protocol.ready
    assert talk.logged == []


@pytest.mark.parametrize("version", [b"7.6.0-portable", b"7.7.0", b"7.8.0p1", b"6.9.0", b"x", b""])
def test_auth_is_refused_where_passwords_come_in_lower_case(version: bytes) -> None:
    talk = Talk(Rows(), hello=hello(version))
    assert b"register|regex\nregister|ready\n" in talk.registered
    assert b"register|auth\n" not in talk.registered
    assert talk.logged == [
        'auth-refused table=aliases reason="this smtpd lower-cases passwords; from 7.9 on it does'
        ' not"'
    ]


def test_auth_is_not_refused_where_it_is_forced() -> None:
    table = Rows()
    table.force_auth = True
    talk = Talk(table, hello=hello(b"7.6.0-portable"))
    assert talk.registered.endswith(b"register|auth\nregister|ready\n")
    assert talk.logged == []


def test_only_the_tables_services_are_registered() -> None:
    table = Rows()
    table.services = [Service.SOURCE, Service.ALIAS]
    talk = Talk(table, hello=hello(b"7.6.0-portable"))
    assert talk.registered == b"register|alias\nregister|source\nregister|ready\n"
    assert talk.logged == []


@pytest.mark.parametrize("services", [(), (Service.AUTH,)])
def test_a_table_without_a_service(services: tuple[Service, ...]) -> None:
    table = Rows()
    table.services = services
    with pytest.raises(VersionError, match="a table without a service that this smtpd can use"):
        Talk(table, hello=hello(b"7.6.0-portable"))


@CUTS
@pytest.mark.parametrize("version", [b"0.2", b"1.0", b"0.10", b"", b"x" * 100])
def test_another_protocol(version: bytes, size: int) -> None:
    talk = Talk(Rows(), hello=b"")
    with pytest.raises(VersionError, match=r"smtpd speaks table protocol b'.*, and we 0\.1"):
        talk.say(b"config|protocol|%s\n" % version, size=size)


def test_configuration_that_we_do_not_know_means_nothing() -> None:
    talk = Talk(Rows(), hello=b"config|admd|x\nconfig|future|a|b\nconfig\n" + HELLO)
    assert talk.registered.endswith(b"register|auth\nregister|ready\n")
    assert talk.say(lookup()) == answer(b"not-found")


@pytest.mark.parametrize(
    "line",
    [b"config|tablename|other", b"config|ready", b"config|protocol|9.9", b"config|", b"config"],
)
def test_a_configuration_behind_the_handshake_changes_nothing(line: bytes) -> None:
    talk = Talk(Rows("alice"))
    assert talk.say(line + b"\n", lookup()) == answer(b"found|found it")
    assert talk.say(line + b"\n") == b""
    assert talk.say(lookup()) == answer(b"found|found it")


def test_a_request_before_the_handshake_is_not_answered() -> None:
    table = Rows("alice")
    talk = Talk(table, hello=b"")
    assert talk.say(b"config|tablename|aliases\n", lookup()) == b""
    assert talk.say(HELLO).startswith(b"register|alias\n")
    assert table.asked == []


# --- requests and answers -------------------------------------------------------------------------


@CUTS
@BOTH
@pytest.mark.parametrize(
    ("said", "answered"),
    [
        (lookup(), answer(b"found|bob@example.org, |/bin/x")),
        (lookup(b"bob"), answer(b"not-found")),
        (check(), answer(b"found", b"check")),
        (check(b"bob"), answer(b"not-found", b"check")),
        (lookup(b"alice", b"string", ONE), answer(b"found|bob@example.org, |/bin/x", id=ONE)),
        (update(), answer(b"ok", b"update")),
    ],
)
def test_requests(kind: type[Rows], said: bytes, answered: bytes, size: int) -> None:
    talk = Talk(kind(alice="bob@example.org, |/bin/x"))
    assert talk.say(said[:-1], size=size) == b""
    assert talk.say(said[-1:]) + talk.finish_all() == answered
    assert talk.protocol.data_to_send() == b""
    assert talk.logged == []
    assert not talk.protocol.busy


@CUTS
def test_fetch(size: int) -> None:
    values = iter(["192.0.2.1", "192.0.2.2", None])
    talk = Talk(Acts(lambda: next(values)))
    assert talk.say(fetch(), size=size) == b"fetch-result|0c7d9dc5|found|192.0.2.1\n"
    assert talk.say(fetch(b"relayhost")) == b"fetch-result|0c7d9dc5|found|192.0.2.2\n"
    assert talk.say(fetch(id=TWO)) == b"fetch-result|00000002|not-found\n"


@pytest.mark.parametrize("service", [service.value.encode() for service in Service][:-1])
def test_the_table_hears_the_service(service: bytes) -> None:
    asked: list[object] = []

    class Names(Acts):
        def lookup(self, service: Service, key: str) -> str:
            asked.append((service, key))
            return "x"

        def fetch(self, service: Service) -> str:
            asked.append(service)
            return "x"

    talk = Talk(Names(lambda: None))
    talk.say(lookup(b"K", service), fetch(service))
    kind = Service(service.decode())
    assert asked == [(kind, "K"), kind]


@BOTH
@pytest.mark.parametrize(
    "key",
    [b"", b" ", b"|", b"||a|b|", b"found|x", b"x" * 1023, b"\xff\xfe", b"caf\xc3\xa9|\xff", b"\r"],
)
def test_keys_and_values_are_passed_on_byte_for_byte(kind: type[Rows], key: bytes) -> None:
    text = key.decode("utf-8", "surrogateescape")
    talk = Talk(kind(**{text: f"<{text.strip()}>"}))
    said = talk.say(lookup(key), check(key)) + talk.finish_all()
    assert said == answer(b"found|<%s>" % key.strip()) + answer(b"found", b"check")


@CUTS
@pytest.mark.parametrize("name", [b"a|b", b"|", b"a|lookup|alias", b"<dynamic:1>", b"", b"\xff"])
def test_any_name_of_a_table(name: bytes, size: int) -> None:
    values = iter(["a", True, "::1", None])
    talk = Talk(Acts(lambda: next(values)), hello=hello(name=name))
    requests = [
        request(b"lookup", b"alias", ONE, b"a|b|c|d", name=name),
        request(b"check", b"alias", TWO, b"|", name=name),
        request(b"fetch", b"source", THREE, name=name),
        request(b"update", ID, name=name),
    ]
    said = b"".join(talk.say(line, size=size) for line in requests)
    assert said == (
        b"lookup-result|00000001|found|a\ncheck-result|00000002|found\n"
        b"fetch-result|00000003|found|::1\nupdate-result|0c7d9dc5|ok\n"
    )
    assert talk.logged == []


@pytest.mark.parametrize(
    ("said", "verb"),
    [
        (lookup(service=b"bogus"), b"lookup"),
        (lookup(service=b"ALIAS"), b"lookup"),
        (lookup(service=b""), b"lookup"),
        (check(service=b"bogus"), b"check"),
        (fetch(service=b"bogus"), b"fetch"),
    ],
)
def test_an_unknown_service_is_answered_with_an_error(said: bytes, verb: bytes) -> None:
    talk = Talk(Rows("alice"))
    assert talk.say(said) == answer(b"error|an unknown service", verb)
    [line] = talk.logged
    assert line.startswith(verb.decode() + "-failed table=aliases ")
    assert talk.say(lookup()) == answer(b"found|found it")


@CUTS
@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"table",
        b"table|",
        b"table|0.1",
        b"table|0.1|1|aliases",
        b"table|0.1|1|aliases|",
        b"table|0.1|1|aliases|update",
        b"table|0.1|1|aliases|lookup|alias|1",
        b"table|0.1|1|aliases|delete|alias|1|x",
        b"table|0.1|1|aliases|fetch|source",
        b"table|0.1|1|aliases|fetch|source|1|x|y",
        b"table|0.1|1|aliases|update|1|x",
        b"table|0.1|1|other|lookup|alias|1|x",
        b"table|0.2|1|aliases|lookup|alias|1|x",
        b"lookup|alias|1|x",
        b"config|tablename|aliases",
        b"\xff\0\r",
        b"report|0.7|1|smtp-in|link-disconnect|x",
        b"x" * 70_000,
    ],
    ids=lambda line: line.decode("latin-1")[:30],
)
def test_lines_that_make_no_sense_are_passed_over(line: bytes, size: int) -> None:
    talk = Talk(Rows("alice"))
    assert talk.say(line + b"\n", lookup(), size=size if len(line) < 1000 else 0) == answer(
        b"found|found it"
    )
    [logged] = talk.logged
    assert logged.startswith("line-ignored reason=")


# --- line feeds in keys, which smtpd before 7.9 sends as they are ---------------------------------

OLD = hello(b"7.8.0-portable")
FORGED = b"a\ntable|0.1|1.0|aliases|lookup|alias|1|x\nconfig|tablename|x\n\nb"
TYPED = [b"credentials", b"auth", b"mailaddrmap", b"mailaddr", b"string", b"regex"]


@pytest.mark.parametrize("verb", [b"lookup", b"check"])
@pytest.mark.parametrize("service", TYPED)
def test_what_a_client_typed_is_one_key_whatever_it_says(verb: bytes, service: bytes) -> None:
    class Names(Acts):
        force_auth = True

        def lookup(self, service: Service, key: str) -> Any:
            asked.append(key)

        check = lookup

    asked: list[str] = []
    talk = Talk(Names(lambda: None), hello=OLD)
    said = talk.say(request(verb, service, ID, FORGED)) + talk.finish_all()
    if (verb, service) == (b"lookup", b"auth"):  # which smtpd never asks
        assert said.startswith(answer(b"error|")[:-1])
        assert said.count(b"\n") == 1
    else:
        assert said == answer(b"not-found", verb)
        assert asked[0] == FORGED.decode()
    assert talk.logged == [] or service == b"auth"
    assert talk.say(lookup()) == answer(b"not-found")


def test_also_when_it_comes_in_two_pieces() -> None:
    """Where the cut is behind a line feed nobody can tell; smtpd writes a request at once."""
    line = request(b"lookup", b"credentials", ID, FORGED)
    for cut in range(1, len(line)):
        if line[cut - 1 : cut] != b"\n":
            talk = Talk(table := Rows(), hello=OLD)
            assert talk.say(line[:cut]) == b""
            assert talk.say(line[cut:]) == answer(b"not-found")
            assert table.asked == [FORGED.decode()]


@pytest.mark.parametrize("size", [0, 70, 500])
def test_a_line_too_long_among_them(size: int) -> None:
    talk = Talk(Rows("alice"), hello=OLD)
    assert talk.say(b"x" * 70_000 + b"\n", size=size) == b""
    assert talk.say(lookup(service=b"credentials"), size=size) == answer(b"found|found it")
    assert talk.say(lookup(service=b"credentials"), size=size) == answer(b"found|found it")


@pytest.mark.parametrize("service", [b"alias", b"domain", b"userinfo", b"netaddr", b"addrname"])
def test_other_requests_may_be_sent_at_once(service: bytes) -> None:
    talk = Talk(Rows("alice"), hello=OLD)
    said = talk.say(lookup(id=ONE), lookup(service=service, id=TWO), fetch(id=THREE), update())
    assert said == (
        answer(b"found|found it", id=ONE)
        + answer(b"found|found it", id=TWO)
        + answer(b"error|NotImplementedError", b"fetch", THREE)
        + answer(b"ok", b"update")
    )


@pytest.mark.parametrize("service", TYPED[2:])
def test_from_7_9_on_all_requests_may(service: bytes) -> None:
    talk = Talk(Rows("alice"))
    said = talk.say(lookup(service=service, id=ONE), check(service=service, id=TWO))
    assert said == answer(b"found|found it", id=ONE) + answer(b"found", b"check", TWO)


# --- what tables may not answer -------------------------------------------------------------------

BAD_VALUES = [
    ("", b"the value is empty"),
    ("a\nlookup-result|1|found|b", b"the value holds a line end or a NUL"),
    ("a\r", b"the value holds a line end or a NUL"),
    ("a\0b", b"the value holds a line end or a NUL"),
    ("x" * 2048, b"the value has 2048 bytes, and smtpd takes 2047"),
    ("\xe9" * 1024, b"the value has 2048 bytes, and smtpd takes 2047"),
    (b"bytes", b"a value is a str, not bytes"),
    (True, b"a value is a str, not bool"),
    (7, b"a value is a str, not int"),
    (["alice"], b"a value is a str, not list"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("value", "reason"), BAD_VALUES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize(
    ("said", "verb"), [(lookup(), b"lookup"), (fetch(), b"fetch")], ids=["lookup", "fetch"]
)
def test_values_that_smtpd_cannot_take(
    said: bytes, verb: bytes, value: Any, reason: bytes, way: str
) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: value)))
    assert talk.say(said) + talk.finish_all() == answer(b"error|" + reason, verb)
    [line] = talk.logged
    service = {b"lookup": "alias", b"fetch": "source"}[verb]
    assert line == (
        f"{verb.decode()}-failed table=aliases service={service} error=DecisionError"
        f' reason="{reason.decode()}"'
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", ["x" * 2047, "\xe9" * 1023, " ", "found|", "\udcff", "a|b"])
def test_values_that_are_just_good(value: str, way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: value)))
    raw = value.encode("utf-8", "surrogateescape")
    assert talk.say(lookup()) + talk.finish_all() == answer(b"found|" + raw)
    assert talk.logged == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [b"found", 1, 0, [], object()], ids=repr)
def test_checks_that_are_none(value: object, way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: value)))
    kind = type(value).__name__.encode()
    assert talk.say(check(service=b"string")) + talk.finish_all() == answer(
        b"error|a check ends in a bool, not in a " + kind, b"check"
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("value", "text"),
    [(True, b"found"), ("x", b"found"), (False, b"not-found"), (None, b"not-found")],
)
def test_checks(value: object, text: bytes, way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: value)))
    assert talk.say(check()) + talk.finish_all() == answer(text, b"check")


@pytest.mark.parametrize("way", WAYS)
def test_updates(way: str) -> None:
    acts: Iterator[Callable[[], Any]] = iter(
        [
            lambda: None,
            lambda: explode(ConfigError("no such key", path="/etc/t", line=7, remedy="make one")),
            lambda: explode(OSError("secret")),
            lambda: True,
        ]
    )
    talk = Talk(Acts(lambda: WAYS[way](next(acts))))
    said = [talk.say(update()) + talk.finish_all() for _ in range(4)]
    assert said == [
        b"update-result|0c7d9dc5|ok\n",
        b"update-result|0c7d9dc5|error|/etc/t:7: no such key; make one\n",
        b"update-result|0c7d9dc5|error|OSError\n",
        b"update-result|0c7d9dc5|error|an update returns nothing, not a bool\n",
    ]
    assert talk.logged[0] == (
        'update-failed table=aliases error=ConfigError reason="/etc/t:7: no such key; make one"'
    )
    assert len(talk.logged) == 3


# --- whatever tables raise ------------------------------------------------------------------------

REQUESTS = {
    "lookup": lookup(service=b"string"),
    "check": check(service=b"string"),
    "fetch": fetch(),
    "update": update(),
}
ERRORS: list[tuple[BaseException, bytes]] = [
    (ValueError("a row\n|"), b"ValueError"),
    (KeyError(b"\xff"), b"KeyError"),
    (OSError(5, "I/O"), b"OSError"),
    (SystemExit(0), b"SystemExit"),
    (KeyboardInterrupt(), b"KeyboardInterrupt"),
    (GeneratorExit(), b"GeneratorExit"),
    (RecursionError(), b"RecursionError"),
    (HandlerTimeout("too slow"), b"too slow"),
    (VersionError("x"), b"VersionError"),
    (StopAsyncIteration(), b"StopAsyncIteration"),
    (LocalError("no\nsuch|file \xe9"), b"no?such|file ?"),
    (LocalError("x" * 300), b"x" * 200),
    (LocalError(""), b""),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("error", "text"), ERRORS, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("verb", REQUESTS)
def test_what_is_raised_is_an_error_and_one_line_in_the_log(
    verb: str, error: BaseException, text: bytes, way: str
) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: explode(error))))
    said = talk.say(REQUESTS[verb]) + talk.finish_all()
    assert said == answer(b"error|" + text, verb.encode())
    [line] = talk.logged
    assert line.startswith(f"{verb}-failed table=aliases ")
    assert f"error={type(error).__name__} " in line
    assert line.isprintable()
    assert "a row" not in line
    assert not talk.protocol.busy


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")

    __repr__ = __str__


class UnprintableLocal(LocalError):
    def __str__(self) -> str:
        raise ValueError("not even this")


class ExitsWhenPrinted(LocalError):
    def __str__(self) -> str:
        raise SystemExit(3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("verb", REQUESTS)
@pytest.mark.parametrize("kind", [Unprintable, UnprintableLocal, ExitsWhenPrinted])
def test_an_error_that_cannot_be_shown(kind: type[Exception], verb: str, way: str) -> None:
    acts = iter([lambda: explode(kind("x")), lambda: None])
    talk = Talk(Acts(lambda: WAYS[way](next(acts))))
    said = talk.say(REQUESTS[verb]) + talk.finish_all()
    assert said.startswith(answer(b"error|", verb.encode())[:-1])
    assert said.count(b"\n") == 1
    assert talk.say(lookup()) + talk.finish_all() == answer(b"not-found")


@pytest.mark.parametrize("way", WAYS)
def test_the_log_says_where_it_was_raised(way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: explode(ValueError()))))
    talk.say(lookup())
    talk.finish_all()
    assert " error=ValueError at=handlers.py:" in talk.logged[0]


class Spiteful(str):
    def __len__(self) -> int:
        raise OSError

    isascii = encode = __bool__ = __len__  # type: ignore[assignment]


@pytest.mark.parametrize("verb", ["lookup", "check", "fetch"])
@pytest.mark.parametrize("way", WAYS)
def test_a_str_that_raises(verb: str, way: str) -> None:
    talk = Talk(Acts(lambda: WAYS[way](lambda: Spiteful("x"))))
    said = talk.say(REQUESTS[verb]) + talk.finish_all()
    assert said == answer(b"error|OSError", verb.encode())


def test_an_offload_of_no_function() -> None:
    not_work: Any = "found"  # the function was called, not passed
    talk = Talk(Acts(lambda: Offload(not_work)))
    assert talk.say(lookup()) == answer(b"error|a str is no work for a thread")


def test_a_table_that_overrides_nothing() -> None:
    class Nothing(Table):
        services = tuple(Service)

    talk = Talk(Nothing())
    assert talk.say(lookup()) == answer(b"error|NotImplementedError")
    assert talk.say(check()) == answer(b"error|NotImplementedError", b"check")
    assert talk.say(fetch()) == answer(b"error|NotImplementedError", b"fetch")
    assert talk.say(update()) == answer(b"ok", b"update")


# --- requests sent at once ------------------------------------------------------------------------


@CUTS
@pytest.mark.parametrize("ways", [["plain"] * 5, ["async"] * 5, list(WAYS) * 2, ["offload"] * 5])
def test_answers_come_in_the_order_of_the_requests(ways: list[str], size: int) -> None:
    values = iter(enumerate(ways))

    def act() -> Any:
        number, way = next(values)
        return WAYS[way](lambda: f"value {number}")

    talk = Talk(Acts(act))
    ids = [b"%08x" % number for number in range(5)]
    said = talk.say(*(lookup(id=id) for id in ids), size=size) + talk.finish_all()
    assert said == b"".join(
        answer(b"found|value %d" % number, id=id) for number, id in enumerate(ids)
    )


def test_one_thing_is_done_at_a_time() -> None:
    talk = Talk(SlowRows("alice"))
    assert talk.say(lookup(id=ONE), update(TWO), lookup(b"bob", id=THREE)) == b""
    work = talk.work()
    assert talk.protocol.busy
    assert talk.say(lookup(id=ID)) == b""
    assert talk.finish(work) == answer(b"found|found it", id=ONE) + answer(b"ok", b"update", TWO)
    assert talk.finish(talk.work()) == answer(b"not-found", id=THREE)
    assert talk.finish(talk.work()) == answer(b"found|found it")
    assert not talk.protocol.busy


class Together(Rows):
    """Notes what it is asked together."""

    def together(self) -> AbstractContextManager[object]:
        return self.noted()

    @contextmanager
    def noted(self) -> Iterator[None]:
        self.asked.append("(")
        yield
        self.asked.append(")")


def test_what_was_sent_at_once_is_asked_together() -> None:
    talk = Talk(table := Together("alice"))
    table.asked.clear()
    talk.say(lookup(), lookup(b"bob"), lookup(b"carol"))
    assert table.asked == ["(", "alice", "bob", "carol", ")"]


def test_what_was_sent_alone_is_asked_alone() -> None:
    talk = Talk(table := Together("alice"))
    table.asked.clear()
    talk.say(lookup())
    talk.say(lookup(b"bob")[:20])
    talk.say(lookup(b"bob")[20:])
    assert table.asked == ["alice", "bob"]


@pytest.mark.parametrize(
    "error", [OSError(), SystemExit(0), HandlerTimeout(), KeyboardInterrupt(), VersionError()]
)
@pytest.mark.parametrize("place", ["call", "enter", "exit"])
def test_together_that_fails(place: str, error: BaseException) -> None:
    class Fails(Rows):
        bad = False

        def together(self) -> AbstractContextManager[object]:
            if self.bad and place == "call":
                raise error
            return self.around()

        @contextmanager
        def around(self) -> Iterator[None]:
            if self.bad and place == "enter":
                raise error
            yield
            if self.bad and place == "exit":
                raise error

    talk = Talk(table := Fails("alice"))
    table.bad = True
    assert talk.say(lookup(id=ONE), check(id=TWO), lookup(b"bob", id=THREE)) == (
        answer(b"found|found it", id=ONE)
        + answer(b"found", b"check", TWO)
        + answer(b"not-found", id=THREE)
    )
    [line] = talk.logged
    assert line.startswith(f"together-failed error={type(error).__name__}")
    assert talk.say(lookup()) == answer(b"found|found it")


# --- deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["async", "offload"])
class TestLater:
    def talk(self, way: str, act: Callable[[], Any] = lambda: "x") -> Talk:
        return Talk(Acts(lambda: WAYS[way](act)))

    def test_nothing_is_answered_before(self, way: str) -> None:
        talk = self.talk(way)
        assert talk.say(lookup()) == b""
        assert talk.finish(talk.work()) == answer(b"found|x")
        assert talk.protocol.next_deadline() is None

    @pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
    @pytest.mark.parametrize("verb", REQUESTS)
    def test_late(self, way: str, verb: str) -> None:
        talk = self.talk(way)
        talk.say(REQUESTS[verb], now=7.0)
        work = talk.work()
        assert talk.protocol.next_deadline() == 12.0
        talk.protocol.expire(11.9)
        assert talk.protocol.data_to_send() == b""
        talk.protocol.expire(12.0)
        assert talk.protocol.data_to_send() == answer(b"error|no answer within 5 s", verb.encode())
        assert work.cancelled
        assert talk.protocol.next_deadline() is None
        [line] = talk.logged
        assert line.startswith(f"{verb}-failed table=aliases ")
        assert line.endswith(' error=HandlerTimeout reason="no answer within 5 s"')

    def test_resolved_after_it_was_late(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(fetch())
        work = talk.work()
        talk.protocol.expire(5.0)
        assert talk.protocol.data_to_send() == answer(b"error|no answer within 5 s", b"fetch")
        talk.protocol.resolve(work, "too late")
        talk.protocol.fail(work, ValueError())
        talk.protocol.expire(99.0)
        assert talk.protocol.data_to_send() == b""
        assert talk.say(fetch(id=TWO)) == b""
        talk.protocol.resolve(work, "too late for another")
        assert talk.protocol.data_to_send() == b""
        assert talk.finish(talk.work()) == answer(b"found|x", b"fetch", TWO)
        assert len(talk.logged) == 1

    def test_resolved_twice(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(fetch())
        work = talk.work()
        work.cancel()
        talk.protocol.resolve(work, "one")
        talk.protocol.resolve(work, "two")
        talk.protocol.fail(work, ValueError())
        talk.protocol.expire(99.0)
        assert talk.protocol.data_to_send() == answer(b"found|one", b"fetch")
        assert talk.logged == []

    def test_what_waits_behind_the_late_one_is_served(self, way: str) -> None:
        talk = self.talk(way)
        talk.say(fetch(id=ONE), fetch(id=TWO))
        talk.work()
        talk.protocol.expire(5.0)
        assert talk.protocol.data_to_send() == answer(b"error|no answer within 5 s", b"fetch", ONE)
        assert talk.protocol.next_deadline() == 10.0
        assert talk.finish(talk.work()) == answer(b"found|x", b"fetch", TWO)


# --- the watchdog ---------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [lambda: "x", lambda: explode(ValueError()), lambda: ""])
def test_the_watchdog_cannot_strike_once_the_call_has_ended(act: Callable[[], Any]) -> None:
    """Else it would answer the same request twice, or end us."""
    inside: list[str | None] = []

    class Answers(list[bytes]):
        def append(self, line: bytes) -> None:
            inside.append(talk.protocol.calls.running)
            super().append(line)

    def logged(event: str, session: str | None = None, **fields: object) -> None:
        inside.append(talk.protocol.calls.running)

    running: list[str | None] = []

    def acting() -> Any:
        running.append(talk.protocol.calls.running)
        return act()

    talk = Talk(Acts(acting))
    talk.protocol._answers = Answers()
    talk.protocol._log = logged
    assert talk.say(lookup(service=b"string")).startswith(b"lookup-result|0c7d9dc5|")
    assert running == ["lookup"]
    assert set(inside) == {None}


@pytest.mark.parametrize("verb", REQUESTS)
def test_each_call_can_be_told_from_the_one_before(verb: str) -> None:
    seen: list[tuple[str | None, int]] = []

    def act() -> None:
        seen.append((talk.protocol.calls.running, talk.protocol.calls.count))

    talk = Talk(Acts(act))
    talk.say(REQUESTS[verb])
    talk.say(REQUESTS[verb])
    assert [name for name, _ in seen] == [verb, verb]
    assert seen[0][1] < seen[1][1]
    assert talk.protocol.calls.running is None


# --- the rest -------------------------------------------------------------------------------------


def test_bugs_of_ours_cost_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk(Rows("alice"))
    faulty = functools.partialmethod(lambda self, line: explode(RuntimeError("a secret")))
    with monkeypatch.context() as patch:
        patch.setattr(TableProtocol, "_request", faulty)
        assert talk.say(lookup()) == b""
    [line] = talk.logged
    assert line.startswith("internal-error error=RuntimeError at=")
    assert talk.say(lookup()) == answer(b"found|found it")


def test_a_line_without_an_end_is_kept_until_it_is_too_long() -> None:
    talk = Talk(Rows("alice"))
    assert talk.say(*[b"x" * 1000] * 200) == b""
    assert talk.say(b"\n", lookup()) == answer(b"found|found it")
    assert talk.logged == ['line-ignored reason="longer than any of smtpd\'s"']
