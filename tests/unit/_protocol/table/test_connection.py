"""The table protocol line by line: what smtpd asks and what it gets for an answer."""

import functools
import struct

import pytest

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.errors import VersionError
from opensmtpd.table import Service
from unit.support.handlers import explode
from unit.support.lookups import (
    CUTS,
    HELLO,
    ID,
    REQUESTS,
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


@CUTS
def test_the_table_knows_its_name(size: int) -> None:
    table = Rows()
    assert table.smtpd_name == ""
    talk = Talk(table, hello=b"")
    talk.say(hello(b"7.9.0").replace(b"|aliases\n", "|älias es\n".encode()), size=size)
    assert table.smtpd_name == "älias es"


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


IMSG = struct.pack("=IHHIII", 2, 16 + 2052, 0, 0, 4711, 2) + b"aliases".ljust(2048, b"\0")
"""``PROC_TABLE_OPEN`` of smtpd 6.8: type, length, flags, peer, process; version and name."""


@CUTS
@pytest.mark.parametrize(
    "first", [IMSG, b"\0", b"\n", b"table|", b"cpnfig|x", b"config:", b"config\n", b"\xff"]
)
def test_first_bytes_that_are_not_the_text_protocol(first: bytes, size: int) -> None:
    """smtpd 6.8 would wait for ever, and all mail with it."""
    talk = Talk(Rows(), hello=b"")
    with pytest.raises(VersionError) as caught:
        talk.say(first, size=size)
    assert str(caught.value) == (
        "smtpd speaks another table protocol; tables need smtpd 7.6 or later"
    )


@CUTS
def test_first_bytes_that_are(size: int) -> None:
    talk = Talk(Rows("alice"), hello=b"")
    assert talk.say(HELLO, size=size).endswith(b"register|ready\n")
    assert talk.say(IMSG, b"\n", lookup()) == answer(b"found|found it")
    assert talk.logged == ['line-ignored reason="not what is to come here"']


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


# --- the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["_call", "_request"])
def test_bugs_of_ours_are_an_error(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    talk = Talk(Rows("alice"))
    faulty = functools.partialmethod(lambda self, *_: explode(RuntimeError("a secret")))
    with monkeypatch.context() as patch:
        patch.setattr(TableConnection, method, faulty)
        assert talk.say(REQUESTS["update"]) == b"update-result|%s|error\n" % ID
    [line] = talk.logged
    assert line.startswith("internal-error error=RuntimeError at=")
    assert talk.say(lookup()) == answer(b"found|found it")


def test_a_line_without_an_end_is_kept_until_it_is_too_long() -> None:
    talk = Talk(Rows("alice"))
    assert talk.say(*[b"x" * 1000] * 200) == b""
    assert talk.say(b"\n", lookup()) == answer(b"found|found it")
    assert talk.logged == ['line-ignored reason="longer than any of smtpd\'s"']
