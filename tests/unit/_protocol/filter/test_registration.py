"""What a filter asks of smtpd: what it overrides and uses, and no more."""

from typing import Any

import pytest

from opensmtpd._protocol.filter import wire
from opensmtpd._protocol.filter.registration import overrides, registrations
from opensmtpd.errors import LocalError
from opensmtpd.filter import PROCEED, Filter, Session
from opensmtpd.filter.decisions import handler_name


def filter_with(*handlers: str, uses: tuple[Any, ...] = ()) -> Filter:
    """Return a filter that overrides ``handlers``."""
    body: dict[str, Any] = dict.fromkeys(handlers, lambda self, *_: PROCEED)
    return type("Some", (Filter,), {**body, "uses": uses})()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("handlers", "uses", "reports", "phases"),
    [
        ("", "", "link-disconnect", ""),
        ("on_connect", "", "link-disconnect", "connect"),
        ("on_helo", "", "link-disconnect", "helo ehlo"),
        ("on_mail_from on_rcpt_to", "", "link-disconnect", "mail-from rcpt-to"),
        ("on_link_disconnect", "", "link-disconnect", ""),
        ("on_link_connect", "", "link-connect link-disconnect", ""),
        ("on_timeout on_tx_commit", "", "link-disconnect tx-commit timeout", ""),
        ("on_message", "", "link-disconnect tx-reset", "data-line commit"),
        ("on_message on_commit", "", "link-disconnect tx-reset", "commit data-line"),
        ("on_message on_tx_reset", "", "link-disconnect tx-reset", "data-line commit"),
        ("", "rdns fcrdns source destination", "link-connect link-disconnect", ""),
        ("", "username tls", "link-disconnect link-tls link-auth", ""),
        ("", "verb identity greeting", "link-disconnect link-greeting link-identify", ""),
        ("", "sender", "link-disconnect tx-reset tx-mail", ""),
        ("", "recipients msgid", "link-disconnect tx-reset tx-begin tx-rcpt", ""),
        (
            "on_message on_connect on_tx_mail",
            "rdns sender",
            "link-connect link-disconnect tx-reset tx-mail",
            "connect data-line commit",
        ),
    ],
)
def test_only_what_is_overridden_or_used_is_registered(
    handlers: str, uses: str, reports: str, phases: str
) -> None:
    some = filter_with(*handlers.split(), uses=tuple(uses.split()))
    assert registrations(some) == (reports.split(), phases.split())


def test_what_options_leave_nothing_to_do_is_not_registered() -> None:
    some = filter_with("on_connect", "on_helo", "on_message", "on_link_greeting")
    some.unused = {"on_helo", "on_message", "on_link_greeting"}
    assert registrations(some) == (["link-disconnect"], ["connect"])


def test_everything() -> None:
    everything = filter_with(*(name for name in vars(Filter) if name.startswith("on_")))
    assert registrations(everything) == (
        [
            "link-connect",
            "link-disconnect",
            "link-greeting",
            "link-identify",
            "link-tls",
            "link-auth",
            "tx-reset",
            "tx-begin",
            "tx-mail",
            "tx-rcpt",
            "tx-envelope",
            "tx-data",
            "tx-commit",
            "tx-rollback",
            "protocol-client",
            "protocol-server",
            "filter-report",
            "filter-response",
            "timeout",
        ],
        [
            "connect",
            "helo",
            "ehlo",
            "starttls",
            "auth",
            "mail-from",
            "rcpt-to",
            "data",
            "commit",
            "rset",
            "quit",
            "noop",
            "help",
            "data-line",
        ],
    )


@pytest.mark.parametrize("uses", [("rdsn",), ("rdns", "data"), ("id",)])
def test_a_name_in_uses_that_sessions_have_not(uses: Any) -> None:
    with pytest.raises(LocalError, match=r"Some\.uses: a session has no"):
        registrations(filter_with(uses=uses))


@pytest.mark.parametrize(
    ("uses", "hint"), [(("rdns", "user_name"), "; did you mean username?"), (("xyz",), "")]
)
def test_the_error_lists_the_right_names_and_the_nearest(uses: Any, hint: str) -> None:
    with pytest.raises(LocalError) as caught:
        registrations(filter_with(uses=uses))
    assert str(caught.value) == (
        f"Some.uses: a session has no {uses[-1]!r}, but rdns, fcrdns, source, destination,"
        f" greeting, verb, identity, tls, username, msgid, sender, recipients{hint}"
    )


@pytest.mark.parametrize("unused", [("on_hello",), {"helo"}])
def test_a_name_in_unused_that_is_no_handler(unused: Any) -> None:
    some = filter_with("on_helo")
    some.unused = unused
    with pytest.raises(LocalError, match=r"^Some\.unused: a filter has no .*, but on_auth, "):
        registrations(some)


def test_a_handler_of_a_base_class_counts() -> None:
    class Base(Filter):
        def on_quit(self, session: Session, request: object) -> Any:
            return PROCEED

    class Derived(Base):
        pass

    assert overrides(Derived(), "on_quit")
    assert not overrides(Derived(), "on_noop")
    assert registrations(Derived()) == (["link-disconnect"], ["quit"])


@pytest.mark.parametrize(
    ("event", "name"),
    [("helo", "on_helo"), ("ehlo", "on_helo"), ("tx-mail", "on_tx_mail"), ("data", "on_data")],
)
def test_handler_name(event: str, name: str) -> None:
    assert handler_name(event) == name


def test_every_event_has_its_handler_and_every_handler_its_event() -> None:
    named = {handler_name(event) for event in [*wire.REPORTS, *wire.REQUESTS]}
    assert named | {"on_message"} == {name for name in vars(Filter) if name.startswith("on_")}


@pytest.mark.parametrize(
    ("attribute", "given"), [("uses", "username"), ("uses", "rdns"), ("unused", "on_helo")]
)
def test_a_name_without_the_comma_that_makes_it_a_tuple(attribute: str, given: str) -> None:
    filter = type("Some", (Filter,), {attribute: given})()
    with pytest.raises(LocalError) as caught:
        registrations(filter)
    assert str(caught.value) == f"Some.{attribute} is a str; write a tuple, even of one name"
