import pytest

from opensmtpd.backends.network.connection import ServerReply
from opensmtpd.backends.redis import values
from opensmtpd.errors import LocalError
from opensmtpd.table import Service


@pytest.mark.parametrize(
    ("service", "reply", "value"),
    [
        ("alias", "alice, bob", "alice, bob"),
        ("alias", ["alice", "bob"], "alice, bob"),
        ("alias", ["alice", None, "", "bob"], "alice, bob"),
        ("alias", [None, None], None),
        ("alias", [], None),
        ("alias", None, None),
        ("alias", "", None),
        ("alias", 0, None),
        ("mailaddrmap", ["a@example.org", "b@example.org"], "a@example.org, b@example.org"),
        ("credentials", ["alice", "$2b$08$x"], "alice:$2b$08$x"),
        ("credentials", "alice:$2b$08$x", "alice:$2b$08$x"),
        ("credentials", ["$2b$08$x"], "$2b$08$x"),
        ("credentials", [None, None], None),
        ("credentials", ["alice", None], None),
        ("credentials", ["alice", ""], None),
        ("auth", ["alice", "$2b$08$x"], "alice:$2b$08$x"),
        ("userinfo", ["1000", "1001", "/home/a"], "1000:1001:/home/a"),
        ("userinfo", [1000, 1001, "/home/a"], "1000:1001:/home/a"),
        ("userinfo", "1000:1001:/home/a:b", "1000:1001:/home/a:b"),
        ("userinfo", [None, None, None], None),
        ("userinfo", ["1000", "1001", None], None),
        ("userinfo", [], None),
        ("userinfo", "", None),
        ("domain", "example.org", "example.org"),
        ("domain", ["example.org"], "example.org"),
        ("domain", [None], None),
        ("domain", [None, None], None),
        ("domain", [], None),
        ("domain", 1, "1"),
        ("domain", 0, None),
        ("domain", -2, None),
        ("mailaddr", 2, "2"),
        ("netaddr", 1, "1"),
        ("source", "192.0.2.1", "192.0.2.1"),
        ("addrname", ["mx.example.org"], "mx.example.org"),
    ],
)
def test_a_value(service: str, reply: ServerReply, value: str | None) -> None:
    assert values.value(Service(service), reply) == value


@pytest.mark.parametrize(
    ("service", "reply", "error"),
    [
        ("alias", 1, "query_alias gives a number"),
        ("credentials", 7, "query_credentials gives a number"),
        ("addrname", 1, "query_addrname gives a number"),
        ("domain", ["a", "b"], "query_domain gives 2 values and should give one"),
        ("domain", [None, "b"], "gives 2 values"),
        ("alias", [["a"]], "an array in an array"),
        ("userinfo", ["alice", "1001", "/home"], "a uid that is no number"),
        ("userinfo", ["1000", "-1", "/home"], "a gid that is no number"),
        ("userinfo", "0x1:1:/home", "a uid that is no number"),
    ],
)
def test_what_cannot_be_a_value(service: str, reply: ServerReply, error: str) -> None:
    with pytest.raises(LocalError, match=error):
        values.value(Service(service), reply)


@pytest.mark.parametrize(
    "reply", ["x", "", "0", 1, 2, 7, ["x"], [""], [None, "x"], [0, 1], [["x"]]]
)
def test_there_is_a_row(reply: ServerReply) -> None:
    assert values.found(reply) is True


@pytest.mark.parametrize("reply", [None, 0, -1, [], [None], [None, None], [0], [[]]])
def test_there_is_none(reply: ServerReply) -> None:
    assert values.found(reply) is False


def test_a_list() -> None:
    assert values.texts(["a", None, "", "b", 1]) == ["a", "b", "1"]
    assert values.texts("a") == ["a"]
    assert values.texts(None) == []
    assert values.texts([]) == []
    with pytest.raises(LocalError, match="an array in an array"):
        values.texts([["a"]])
