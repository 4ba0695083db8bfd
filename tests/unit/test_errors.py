"""The hierarchy, and the one form of a configuration error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import (
    ConfigError,
    DecisionError,
    Error,
    HandlerTimeout,
    LocalError,
    ProtocolError,
    Refused,
    RemoteError,
    SmtpdGone,
    SpoolError,
    Unavailable,
    Unsignable,
    VersionError,
    did_you_mean,
    nearest,
    returned,
)
from opensmtpd.filter import (
    JUNK,
    PROCEED,
    Disconnect,
    Reject,
    Rewrite,
)


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (LocalError, Error),
        (ConfigError, LocalError),
        (DecisionError, LocalError),
        (SpoolError, LocalError),
        (Unavailable, LocalError),
        (RemoteError, Error),
        (ProtocolError, RemoteError),
        (VersionError, ProtocolError),
        (SmtpdGone, RemoteError),
        (Unsignable, RemoteError),
        (Refused, Error),
        (HandlerTimeout, BaseException),
    ],
)
def test_hierarchy(error: type, parent: type) -> None:
    assert error.__bases__ == (parent,)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError("no key"), "no key"),
        (ConfigError("no key", remedy="make one"), "no key; make one"),
        (ConfigError("bad word", path="/etc/keys"), "/etc/keys: bad word"),
        (ConfigError("bad word", path="/etc/keys", line=7), "/etc/keys:7: bad word"),
        (ConfigError("bad", path="k", line=1, remedy="remove it"), "k:1: bad; remove it"),
        (ConfigError("a line without a file", line=3), "a line without a file"),
    ],
)
def test_config_error_is_one_line_that_names_place_and_remedy(
    error: ConfigError, text: str
) -> None:
    assert str(error) == text


def test_config_error_keeps_its_parts() -> None:
    error = ConfigError("bad", path="keys", line=7, remedy="remove it")
    assert (error.message, error.path, error.line, error.remedy) == ("bad", "keys", 7, "remove it")


def test_a_handlers_own_except_clause_does_not_catch_its_timeout() -> None:
    assert not issubclass(HandlerTimeout, Exception)


def test_refused_keeps_its_decision() -> None:
    error = Refused(Reject(550, "5.7.1 No"))
    assert (repr(error.decision), str(error)) == ("Reject(550, '5.7.1 No')",) * 2
    assert isinstance(Refused(Disconnect(421, "4.7.0 Go")).decision, Disconnect)


@pytest.mark.parametrize("decision", [PROCEED, JUNK, Rewrite(b"x"), None, "550 No", Reject])
def test_refused_takes_refusals_only(decision: object) -> None:
    with pytest.raises(DecisionError):
        Refused(decision)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "near", "text"),
    [
        ("on_mesage", "on_message", "; did you mean on_message?"),
        ("on_quit", "on_quit", "; did you mean on_quit?"),
        ("xyz", None, ""),
        ("", None, ""),
    ],
)
def test_the_nearest_name(name: str, near: str | None, text: str) -> None:
    names = {"on_quit", "on_message", "on_mail_from"}
    assert nearest(name, names) == near
    assert did_you_mean(name, names) == text
    assert nearest(name, ()) is None


@pytest.mark.parametrize(
    ("name", "names", "near"),
    [
        ("domian", ["domain", "dog"], "domain"),  # two neighbours swapped are one fault
        ("--domian", ["--deadline", "--domain", "--domain-file"], "--domain"),
        ("abcd", ["abxd", "abcx"], "abcx"),  # of equals, the first
        ("example.com", ["example.com.mail", "example.net.mail"], "example.com.mail"),
        ("ab", ["ba", "xy"], None),
        ("abc", ["xbc", "xyc"], "xbc"),
        ("abcde", ["xycde"], "xycde"),
        ("abcde", ["xyzde"], None),
        ("", ["a"], None),
        ("x" * 300, ["x" * 300], None),
        ("aab", [f"{number:05}" for number in range(2000)] + ["aaab"], None),
    ],
)
def test_how_near_a_name_must_be(name: str, names: list[str], near: str | None) -> None:
    assert nearest(name, names) == near


@given(name=st.text("abc", min_size=1, max_size=8), other=st.text("abc", max_size=8))
def test_a_name_is_the_nearest_to_itself(name: str, other: str) -> None:
    assert nearest(name, [other, name]) == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "returned None"),
        (b"secret", "returned a bytes"),
        (True, "returned a bool"),
        (bytes, "returned the class bytes"),
    ],
)
def test_an_answer_that_is_none(value: object, text: str) -> None:
    assert returned(value) == text


def test_the_method_of_a_decision_error() -> None:
    assert DecisionError("x").method is None
    error = DecisionError("x", method=len)
    assert (error.method, str(error)) == (len, "x")
