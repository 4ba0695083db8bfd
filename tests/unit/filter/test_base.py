"""The base class of filters: each event has its handler, which does nothing."""

import inspect
from typing import get_args

import pytest

from opensmtpd._protocol.filter import wire
from opensmtpd._protocol.filter.registration import handler_name
from opensmtpd.filter import PROCEED, Filter, Session
from opensmtpd.filter.events import Report, Request


@pytest.mark.parametrize("event", [*wire.REPORTS, *wire.REQUESTS])
def test_the_handlers_type_is_that_of_the_event(event: str) -> None:
    handler = getattr(Filter, handler_name(event))
    _, _, parameter = inspect.signature(handler).parameters.values()
    make = {**wire.REPORTS, **wire.REQUESTS}["ehlo" if event == "helo" else event][0]
    assert parameter.annotation is make
    assert make in (*get_args(Report), *get_args(Request))


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
    plain.stop()
