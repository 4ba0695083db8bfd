"""Line feeds in keys: smtpd before 7.9 sends them as they are, and a client may type them."""

from typing import Any

import pytest

from opensmtpd.table import Service
from unit.support.lookups import (
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


@pytest.mark.parametrize("name", [b"0.1", b"table", b"a|b"])
def test_whatever_the_table_is_called(name: bytes) -> None:
    class Names(Rows):
        services = (Service.CREDENTIALS,)

    talk = Talk(Names("alice"), hello=OLD.replace(b"aliases", name))
    forged = b"a\ntable|0.1|1.0|%s|lookup|credentials|1|x" % name
    asked = b"table|0.1|1.2|%s|lookup|credentials|%s|%s\n" % (name, ID, forged)
    assert talk.say(asked) == answer(b"not-found")


def test_what_only_looks_like_a_request_gets_no_answer() -> None:
    talk = Talk(Rows("alice"))
    assert talk.say(lookup().replace(b"table|", b"elbat|")) == b""
    assert len(talk.logged) == 1
