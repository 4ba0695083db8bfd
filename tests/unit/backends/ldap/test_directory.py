"""A connection of libldap: its options, its deadlines, and the kinds of its errors."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from opensmtpd.backends.ldap.directory import Directory, LdapRefused, TlsRules
from opensmtpd.backends.ldap.library import LibLdap
from opensmtpd.errors import ServerLate, ServerLost, Unavailable
from unit.support.fake_ldap import FakeLdap, LDAPError, error

NO_TLS = TlsRules(wanted=False, start=False, ca_file="", verify=True)


def soon() -> float:
    return time.monotonic() + 60


def made(fake: FakeLdap, tls: TlsRules = NO_TLS, url: str = "ldap://a:389") -> Directory:
    return Directory(LibLdap(fake), url, tls, soon())


def fails(fake: FakeLdap, name: str, kind: str, info: str = "") -> None:
    """Have a call fail."""
    fault = error(getattr(fake, kind), info)
    fake.fault = lambda called, given: fault if called == name else None


def test_options_of_each_connection() -> None:
    made(fake := FakeLdap())
    [handle] = fake.handles
    assert handle.url == "ldap://a:389"
    seconds = handle.options.pop("OPT_NETWORK_TIMEOUT")
    assert isinstance(seconds, float)
    assert 0 < seconds <= 60
    assert handle.options == {
        "OPT_PROTOCOL_VERSION": 3,
        "OPT_TIMEOUT": seconds,
        "OPT_REFERRALS": 0,
        "OPT_DEREF": "DEREF_NEVER",
        "OPT_RESTART": 1,
    }
    assert not fake.calls("start_tls_s")


@pytest.mark.parametrize(
    ("tls", "options", "starts"),
    [
        (TlsRules(True, False, "/ca", True), ("OPT_X_TLS_DEMAND", "/ca"), 0),
        (TlsRules(True, True, "/ca", True), ("OPT_X_TLS_DEMAND", "/ca"), 1),
        (TlsRules(True, True, "", False), ("OPT_X_TLS_NEVER", None), 1),
    ],
)
def test_tls(tls: TlsRules, options: tuple[str, str | None], starts: int) -> None:
    made(fake := FakeLdap(), tls)
    [handle] = fake.handles
    found = handle.options["OPT_X_TLS_REQUIRE_CERT"], handle.options.get("OPT_X_TLS_CACERTFILE")
    assert found == options
    assert handle.options["OPT_X_TLS_NEWCTX"] == 0
    # A context of its own is made of what was set before.
    set_last = [given[0] for given in fake.calls("set_option")][-1]
    assert set_last == "OPT_X_TLS_NEWCTX"
    assert len(fake.calls("start_tls_s")) == starts


@pytest.mark.parametrize(
    ("call", "kind"), [("start_tls_s", "CONNECT_ERROR"), ("start_tls_s", "SERVER_DOWN")]
)
def test_a_server_without_tls_is_lost(call: str, kind: str) -> None:
    fails(fake := FakeLdap(), call, kind, "certificate verify failed")
    with pytest.raises(ServerLost) as caught:
        made(fake, TlsRules(True, True, "", True))
    assert str(caught.value) == f"ldap://a:389: {kind}: certificate verify failed"


def test_an_authority_that_cannot_be_used() -> None:
    fake = FakeLdap()
    fault = error(fake.LOCAL_ERROR)  # type: ignore[attr-defined]
    fake.fault = lambda name, given: fault if given[:1] == ("OPT_X_TLS_NEWCTX",) else None
    with pytest.raises(ServerLost, match="ldap://a:389: LOCAL_ERROR"):
        made(fake, TlsRules(True, False, "/none", True))


@pytest.mark.parametrize(
    ("password", "right"), [(b"secret", True), (b"other", False), (b"\xff", False)]
)
def test_a_bind(password: bytes, right: bool) -> None:
    fake = FakeLdap()
    fake.passwords["cn=a"] = b"secret"
    assert made(fake).bind("cn=a", password, soon()) is right
    assert fake.calls("simple_bind") == [["cn=a", password]]


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("INVALID_CREDENTIALS", True),
        ("INAPPROPRIATE_AUTH", True),
        ("NO_SUCH_OBJECT", True),
        ("UNWILLING_TO_PERFORM", True),
        ("CONSTRAINT_VIOLATION", True),
        ("BUSY", False),
        ("LDAPError", False),
    ],
)
def test_results_of_a_bind(kind: str, refused: bool) -> None:
    fails(fake := FakeLdap(), "result4", kind, "secret is wrong")
    directory = made(fake)
    if refused:
        assert directory.bind("cn=a", b"secret", soon()) is False
        return
    with pytest.raises(LdapRefused) as caught:
        directory.bind("cn=a", b"secret", soon())
    assert "secret" not in str(caught.value)


def test_a_search() -> None:
    fake = FakeLdap()
    fake.entries["(a=b)"] = [
        ("cn=x", {"a": [b"b"]}),
        (None, ["ldap://elsewhere/"]),
        ("cn=y", {}),
    ]
    directory = made(fake)
    number = directory.search("dc=base", "(a=b)", ["a", "c"])
    assert directory.found(number, soon()) == [("cn=x", {"a": [b"b"]}), ("cn=y", {})]
    assert fake.calls("search_ext") == [
        ["dc=base", "SCOPE_SUBTREE", "(a=b)", ["a", "c"], 0, None, None, -1, 0]
    ]


def test_searches_under_way_have_their_own_results() -> None:
    fake = FakeLdap()
    fake.entries = {f"({n})": [(f"cn={n}", {})] for n in range(3)}
    directory = made(fake)
    numbers = [directory.search("dc=base", f"({n})", ["1.1"], most=1) for n in range(3)]
    found = [directory.found(number, soon()) for number in reversed(numbers)]
    assert found == [[("cn=2", {})], [("cn=1", {})], [("cn=0", {})]]


STEPS: dict[str, Callable[[Directory], object]] = {
    "simple_bind": lambda each: each.bind("cn=a", b"secret", soon()),
    "search_ext": lambda each: each.search("dc=base", "(a=b)", ["a"]),
    "result4": lambda each: each.found(each.search("dc=base", "(a=b)", ["a"]), soon()),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("SERVER_DOWN", ServerLost),
        ("CONNECT_ERROR", ServerLost),
        ("UNAVAILABLE", ServerLost),
        ("DECODING_ERROR", ServerLost),
        ("TIMEOUT", ServerLate),
        ("BUSY", LdapRefused),
        ("FILTER_ERROR", LdapRefused),
    ],
)
def test_errors_of_each_step(step: str, kind: str, error: type[Unavailable]) -> None:
    fails(fake := FakeLdap(), step, kind)
    with pytest.raises(error) as caught:
        STEPS[step](made(fake))
    assert type(caught.value) is error
    assert caught.value.__suppress_context__  # nothing of libldap's goes on


@pytest.mark.parametrize("raised", [LDAPError(), LDAPError("text"), LDAPError({"info": "x"})])
def test_errors_without_a_text(raised: LDAPError) -> None:
    fake = FakeLdap()
    fake.fault = lambda name, given: raised if name == "search_ext" else None
    with pytest.raises(LdapRefused, match=r"^ldap://a:389: LDAPError"):
        made(fake).search("dc=base", "(a=b)", ["a"])


@pytest.mark.parametrize("step", [
    lambda each, until: each.bind("cn=a", b"x", until),
    lambda each, until: each.found(each.search("dc=base", "(a=b)", []), until),
])  # fmt: skip
def test_nothing_is_awaited_when_time_is_over(step: Callable[[Directory, float], Any]) -> None:
    directory = made(fake := FakeLdap())
    with pytest.raises(ServerLate, match="no time is left"):
        step(directory, time.monotonic())
    assert fake.calls("result4") == []


def test_a_connection_is_not_begun_when_time_is_over() -> None:
    with pytest.raises(ServerLate):
        Directory(LibLdap(FakeLdap()), "ldap://a", NO_TLS, time.monotonic() - 1)


def test_close_never_fails() -> None:
    fails(fake := FakeLdap(), "unbind_ext", "LOCAL_ERROR")
    made(fake).close()
    assert len(fake.calls("unbind_ext")) == 1


@pytest.mark.parametrize("kind", [0x64, 0x65, 0x6F, 0x78, None])
def test_only_the_end_of_a_bind_lets_anybody_in(kind: int | None) -> None:
    """libldap takes any result with the number of the request."""
    fake = FakeLdap()
    fake.ended["simple_bind"] = kind
    with pytest.raises(
        ServerLost, match=r"^ldap://a:389: the reply is to another kind of request$"
    ):
        made(fake).bind("cn=a", b"", soon())


@pytest.mark.parametrize("kind", [0x64, 0x65, 0x73])
def test_a_search_is_told_by_its_first_message_or_by_its_end(kind: int) -> None:
    """libldap tells the first where the reply had come before it was waited for."""
    fake = FakeLdap()
    fake.ended["search_ext"] = kind
    fake.entries["(a=b)"] = [("cn=a", {"a": [b"b"]})]
    directory = made(fake)
    found = directory.found(directory.search("dc=base", "(a=b)", ["a"]), soon())
    assert found == [("cn=a", {"a": [b"b"]})]


@pytest.mark.parametrize("kind", [0x61, 0x78])
def test_only_the_end_of_a_search_says_that_nothing_is_found(kind: int) -> None:
    fake = FakeLdap()
    fake.ended["search_ext"] = kind
    directory = made(fake)
    with pytest.raises(ServerLost, match="another kind of request"):
        directory.found(directory.search("dc=base", "(a=b)", ["a"]), soon())


def test_names_that_are_no_utf_8() -> None:
    """python-ldap raises it; one such entry must not count as a server that is away."""
    fake = FakeLdap()
    raised = UnicodeDecodeError("utf-8", b"secret\xff", 6, 7, "reason")
    directory = made(fake)
    number = directory.search("dc=base", "(a=b)", ["a"])
    fake.fault = lambda name, given: raised if name == "result4" else None
    with pytest.raises(LdapRefused, match=r"^ldap://a:389: a name in the reply is no UTF-8$"):
        directory.found(number, soon())
