"""Stands for ``_ldap``, the part of python-ldap in C, which no machine needs for unit tests."""

from collections.abc import Callable
from typing import Any


class LDAPError(Exception):
    """The root of what it raises; its argument is a dict, as libldap's."""


def error(kind: type[LDAPError], info: str = "", **more: object) -> LDAPError:
    """Return an exception as libldap makes it."""
    return kind({"desc": kind.__name__, **({"info": info} if info else {}), **more})


NAMES = (
    "SERVER_DOWN", "CONNECT_ERROR", "UNAVAILABLE", "LOCAL_ERROR", "ENCODING_ERROR",
    "DECODING_ERROR", "INVALID_CREDENTIALS", "INAPPROPRIATE_AUTH", "NO_SUCH_OBJECT",
    "UNWILLING_TO_PERFORM", "CONSTRAINT_VIOLATION", "TIMEOUT", "SIZELIMIT_EXCEEDED", "BUSY",
    "FILTER_ERROR",
)  # fmt: skip
"""Exceptions; each is an attribute of a FakeLdap."""
OPTIONS = (
    "OPT_PROTOCOL_VERSION", "OPT_NETWORK_TIMEOUT", "OPT_TIMEOUT", "OPT_REFERRALS", "OPT_DEREF",
    "OPT_RESTART", "OPT_X_TLS_REQUIRE_CERT", "OPT_X_TLS_CACERTFILE", "OPT_X_TLS_NEWCTX",
    "OPT_X_TLS_DEMAND", "OPT_X_TLS_NEVER", "DEREF_NEVER", "SCOPE_SUBTREE",
)  # fmt: skip
"""Numbers; the fake has their names in their place."""

Found = list[tuple[str | None, Any]]
"""The names and attributes of entries; a reference has None for a name."""


class FakeLdap:
    """The module. ``entries`` and ``passwords`` are its server, which ``fault`` may spoil."""

    def __init__(self) -> None:
        for name in OPTIONS:
            setattr(self, name, name)
        for name in NAMES:
            setattr(self, name, type(name, (LDAPError,), {}))
        self.LDAPError = LDAPError
        self.entries: dict[str, Found] = {}
        """What is found, by the filter."""
        self.passwords: dict[str, bytes] = {"": b""}
        """By the name that logs in."""
        self.ended: dict[str, int | None] = {"simple_bind": 0x61, "search_ext": 0x65}
        """The kind of message that ends a request, by its call."""
        self.fault: Callable[[str, tuple[Any, ...]], Exception | None] = lambda name, given: None
        """What a call, by its name and its arguments, raises."""
        self.handles: list[FakeHandle] = []

    def initialize(self, url: str) -> "FakeHandle":
        """Return a connection."""
        self.handles.append(FakeHandle(self, url))
        return self.handles[-1]

    def calls(self, name: str) -> list[list[Any]]:
        """Return the arguments of all calls of that name."""
        return [
            [*given] for each in self.handles for called, *given in each.called if called == name
        ]


class FakeHandle:
    """A connection: each call is noted."""

    def __init__(self, module: FakeLdap, url: str) -> None:
        self.module, self.url = module, url
        self.options: dict[str, object] = {}
        self.called: list[tuple[Any, ...]] = []
        self._replies: dict[int, tuple[int | None, Found | LDAPError]] = {}

    def _call(self, name: str, *given: Any) -> None:
        self.called.append((name, *given))
        fault = self.module.fault(name, given)
        if fault is not None:
            raise fault

    def _number(self, reply: Found | LDAPError) -> int:
        number = len(self.called)
        self._replies[number] = self.module.ended[self.called[-1][0]], reply
        return number

    def set_option(self, option: str, value: object) -> None:
        """Note an option."""
        self._call("set_option", option, value)
        self.options[option] = value

    def start_tls_s(self) -> None:
        """Begin TLS."""
        self._call("start_tls_s")

    def simple_bind(self, name: str, password: bytes, server: None, client: None) -> int:
        """Log in."""
        assert isinstance(password, bytes)
        self._call("simple_bind", name, password)
        refused = error(self.module.INVALID_CREDENTIALS, f"{password!r} is wrong")  # type: ignore[attr-defined]
        good = not password or self.module.passwords.get(name) == password
        return self._number([] if good else refused)

    def search_ext(self, *given: Any) -> int:
        """Search: base, scope, filter, attributes, and more."""
        self._call("search_ext", *given)
        return self._number(self.module.entries.get(given[2], []))

    def result4(self, number: int, all: int, timeout: float, *more: int) -> tuple[Any, ...]:
        """Return a reply, once."""
        assert 0 < timeout < 100
        self._call("result4", number)
        kind, reply = self._replies.pop(number)
        if isinstance(reply, LDAPError):
            raise reply
        return (kind, reply, number, [])

    def unbind_ext(self, server: None, client: None) -> None:
        """Close."""
        self._call("unbind_ext")
