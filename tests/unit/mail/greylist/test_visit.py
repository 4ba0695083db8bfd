"""The state of a session of filter-greylist."""

from opensmtpd.answer import Deferred
from opensmtpd.filter import Session
from opensmtpd.mail.client import USES
from opensmtpd.mail.greylist.visit import GreylistVisit, Standing, visit_of
from unit.support.mail_client import client


def test_a_transaction_that_ends_stops_what_was_asked_for_it() -> None:
    visit = GreylistVisit(client("192.0.2.5"))
    asked: list[str] = []
    visit.standing = Deferred()
    visit.standing.on_cancel(lambda: asked.append("stopped"))
    visit.sender, visit.white, visit.delay = b"bob@remote.example", True, 7.0
    visit.end_transaction()
    assert asked == ["stopped"]
    left: list[object] = [visit.sender, visit.standing, visit.white, visit.delay]
    assert left == [None, None, False, 0.0]
    visit.end_transaction()
    assert asked == ["stopped"]


def test_a_session_keeps_its_state() -> None:
    session = Session("1718c5e591926d28", USES)
    session.data = visit = GreylistVisit(client("192.0.2.5"))
    assert visit_of(session) is visit


def test_a_session_whose_beginning_was_not_reported_is_local() -> None:
    session = Session("1718c5e591926d28", USES)
    visit = visit_of(session)
    assert visit.client.local
    assert visit_of(session) is visit


def test_the_standing_of_those_who_pass_needs_no_key() -> None:
    assert Standing(True) == (True, "")
