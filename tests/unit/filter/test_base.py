"""The base class of filters: its handlers do nothing, and a misspelt one is refused."""

import inspect
from typing import Any, get_args

import pytest

from opensmtpd._protocol.filter import wire
from opensmtpd.errors import LocalError
from opensmtpd.filter import PROCEED, Filter, Session
from opensmtpd.filter.decisions import handler_name
from opensmtpd.filter.events import FilterRequest, Report


@pytest.mark.parametrize("event", [*wire.REPORTS, *wire.REQUESTS])
def test_the_handlers_type_is_that_of_the_event(event: str) -> None:
    handler = getattr(Filter, handler_name(event))
    _, _, parameter = inspect.signature(handler).parameters.values()
    make = {**wire.REPORTS, **wire.REQUESTS}["ehlo" if event == "helo" else event][0]
    assert parameter.annotation is make
    assert make in (*get_args(Report), *get_args(FilterRequest))


def test_what_is_not_overridden_does_no_harm() -> None:
    plain, session = Filter(), Session("1718c5e591926d28")
    assert plain.on_message(session) is None
    for name in wire.REQUESTS:
        assert getattr(plain, handler_name(name))(session, None) is PROCEED
    for name in wire.REPORTS:
        assert getattr(plain, handler_name(name))(session, None) is None
    plain.reload()


def test_what_a_filter_is_that_says_nothing() -> None:
    plain = Filter()
    assert (tuple(plain.uses), tuple(plain.unused)) == ((), ())
    assert plain.start() is None
    assert plain.stop() is None


def handler(self: object, *_: Any) -> Any:
    """Stand for a handler."""
    return PROCEED


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("on_mesage", "; did you mean on_message?"),
        ("on_mailfrom", "; did you mean on_mail_from?"),
        ("on_ehlo", "; did you mean on_helo?"),
        ("on_xyzzy", ""),
    ],
)
@pytest.mark.parametrize("bases", [(Filter,), (type("Base", (Filter,), {}),)])
def test_an_unknown_handler(bases: tuple[type, ...], name: str, hint: str) -> None:
    with pytest.raises(LocalError) as caught:
        type("Some", bases, {name: handler})
    assert str(caught.value) == (
        f"Some.{name}: smtpd has no such event, so this would never be called{hint}"
    )


def test_an_unknown_handler_of_a_class_mixed_in() -> None:
    class Mixin:
        on_conect = handler

    with pytest.raises(LocalError, match=r"^Some\.on_conect: .* did you mean on_connect\?$"):
        type("Some", (Mixin, Filter), {})


def test_other_names_are_the_authors() -> None:
    class Some(Filter):
        _on_mesage = once = only = handler

    assert Some.once is handler


def test_the_text_of_on_rcpt_to_says_when_it_comes() -> None:
    assert "before smtpd's own verdict on the recipient" in (Filter.on_rcpt_to.__doc__ or "")
