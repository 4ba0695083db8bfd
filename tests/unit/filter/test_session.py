"""A session keeps the attributes that the filter uses, and no other."""

from typing import get_args

import pytest

from opensmtpd._protocol.filter import wire
from opensmtpd._protocol.filter.session_state import record_report
from opensmtpd.errors import LocalError
from opensmtpd.filter import Session, SessionAttribute, events
from opensmtpd.filter.session import _EMPTY, REPORT_OF, TRANSACTION

ALL = tuple(REPORT_OF)
ID = "1718c5e591926d28"


def session(*uses: SessionAttribute) -> Session:
    return Session("1718c5e591926d28", uses or ALL)


def test_what_a_new_session_knows() -> None:
    new = session()
    assert new.id == "1718c5e591926d28"
    assert {name: getattr(new, name) for name in ALL} == {
        "rdns": b"",
        "fcrdns": "",
        "source": b"",
        "destination": b"",
        "greeting": b"",
        "verb": "",
        "identity": b"",
        "tls": None,
        "username": None,
        "msgid": None,
        "sender": None,
        "recipients": [],
    }
    assert new.data is None
    assert repr(new) == "Session('1718c5e591926d28')"


def test_sessions_do_not_share_their_recipients() -> None:
    one, other = session("recipients"), session("recipients")
    record_report(one, "tx-rcpt", events.TxRcpt(1.0, "018a64ac", "ok", b"b@example.org"))
    assert other.recipients == []


def test_only_what_is_used_is_kept() -> None:
    s = session("fcrdns")
    record_report(
        s, "link-connect", events.LinkConnect(1.0, b"mx", "fail", b"unix:/run/x", b"local")
    )
    assert s.fcrdns == "fail"
    with pytest.raises(LocalError, match=r"session\.rdns is not kept; add 'rdns' to the filter's"):
        _ = s.rdns


def test_other_names_are_ordinary() -> None:
    with pytest.raises(AttributeError):
        _ = session("rdns").colour
    assert not hasattr(session("rdns"), "__len__")


def test_every_attribute_is_filled_by_a_report_that_exists() -> None:
    assert set(REPORT_OF.values()) <= wire.REPORTS.keys()


def test_the_type_names_the_attributes_that_reports_fill() -> None:
    assert list(get_args(SessionAttribute)) == list(REPORT_OF) == list(_EMPTY)
    assert set(REPORT_OF) > TRANSACTION


@pytest.mark.parametrize("name", get_args(SessionAttribute))
def test_an_attribute_that_is_used_and_one_that_is_not(name: SessionAttribute) -> None:
    assert name in Session.__annotations__
    assert getattr(Session(ID, (name,)), name) == _EMPTY[name]()
    with pytest.raises(LocalError) as caught:
        getattr(Session(ID), name)
    assert str(caught.value) == f"session.{name} is not kept; add {name!r} to the filter's uses"


def test_an_attribute_that_no_session_has() -> None:
    with pytest.raises(AttributeError, match=r"^rdsn$"):
        _ = Session(ID).rdsn
