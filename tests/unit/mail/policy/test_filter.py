"""The base class of policy filters: when a client is judged, who is spared, what is kept."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from opensmtpd.answer import Deferred
from opensmtpd.dns import Absent, Found, Lookup, Question, RecordType, Reply
from opensmtpd.errors import ConfigError
from opensmtpd.filter import Session
from opensmtpd.mail.client import Client
from opensmtpd.mail.policy.action import JUNK_IT, Action, Response
from opensmtpd.mail.policy.filter import PHASES, ClientState, PolicyFilter, state_of
from opensmtpd.mail.policy.options import Rules
from opensmtpd.mail.policy.verdict import PolicyVerdict, Reason
from opensmtpd.testing.zone import Zone
from unit.support.rdns_client import JUNK, PROCEED, link
from unit.support.talk import Talk, data, datalines, report, request, result

WITH_HEADER = Rules(header=True)
MARK = Response(Action.HEADER)
QUESTION = Question("x.example", RecordType.A)
AUTH = report(b"link-auth", b"pass", b"alice")


class Judge(PolicyFilter):
    """Says of each phase what it was told to, and notes which phases it was asked for."""

    def __init__(
        self,
        rules: Rules = WITH_HEADER,
        phases: Sequence[str] = PHASES,
        zone: Zone | None = None,
    ) -> None:
        super().__init__(rules, zone or Zone({}), phases)
        self.responses: dict[str, Response] = {}
        self.asked: list[tuple[str, ...]] = []
        self.clients: list[Client] = []

    def judge(self, state: ClientState, phases: Sequence[str]) -> Lookup[PolicyVerdict | None]:
        [reply] = yield [QUESTION]
        assert isinstance(reply, Absent)
        self.asked.append(tuple(phases))
        self.clients.append(state.client)
        found = [(phase, self.responses[phase]) for phase in phases if phase in self.responses]
        if not found:
            return None
        response = max((response for _, response in found), key=lambda one: one.action)
        name = state.client.helo.decode()
        return PolicyVerdict(response, tuple(Reason(phase, f"said {name}") for phase, _ in found))


def connect(name: bytes = b"mail.example.net", verdict: bytes = b"pass") -> bytes:
    return link(name, verdict) + request(b"connect", b"name|192.0.2.5")


def helo(name: bytes) -> bytes:
    return request(b"ehlo", name)


def sender(address: bytes = b"bob@example.net") -> bytes:
    return request(b"mail-from", address)


MAIL = (b"Subject: hello", b"", b"body", b".")


# --- which phases there are -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "phases", "unused"),
    [
        (Rules(), PHASES, "on_message"),
        (Rules(header=True), PHASES, ""),
        (Rules(header=True), ["connect"], "on_helo on_mail_from"),
        (Rules(), ["helo"], "on_connect on_mail_from on_message"),
        (Rules(spare_authenticated=True), PHASES, "on_connect on_message"),
        (Rules(spare_authenticated=True, header=True), ["connect"], "on_connect on_helo"),
    ],
)
def test_what_is_not_needed_is_unused(rules: Rules, phases: list[str], unused: str) -> None:
    made = Judge(rules, phases)
    assert made.unused == set(unused.split())
    username = ("username",) if rules.spare_authenticated else ()
    assert made.uses == ("rdns", "fcrdns", "source", "destination", *username)


# --- when a client is judged ----------------------------------------------------------------------


def test_each_phase_is_judged_by_itself() -> None:
    judge = Judge()
    judge.responses = {"helo": JUNK_IT}
    assert Talk(judge).say(connect(), helo(b"A"), sender()) == PROCEED + JUNK + PROCEED
    assert judge.asked == [("connect",), ("helo",), ("mail-from",)]
    assert [(one.helo, one.sender) for one in judge.clients] == [
        (b"", None),
        (b"A", None),
        (b"A", b"bob@example.net"),
    ]


def test_another_helo_ends_the_transaction() -> None:
    """RFC 5321 section 4.1.4: its sender counts no more, and its reasons are gone."""
    judge = Judge()
    judge.responses = {"mail-from": MARK}
    talk = Talk(judge)
    talk.say(connect(), helo(b"A"), sender(), helo(b"B"))
    assert judge.clients[-1].sender is None
    assert talk.say(data(*MAIL)) == datalines(*MAIL)


def test_who_may_authenticate_is_judged_at_mail_from() -> None:
    judge = Judge(Rules(spare_authenticated=True))
    judge.responses = {"connect": JUNK_IT}
    talk = Talk(judge)
    assert talk.say(connect(), helo(b"A")) == PROCEED * 2
    assert judge.asked == []
    assert talk.say(sender()) == JUNK
    assert judge.asked == [("connect", "helo", "mail-from")]
    assert talk.say(AUTH, sender()) == PROCEED
    assert len(judge.asked) == 1


def test_only_phases_with_checks_are_judged_at_mail_from() -> None:
    judge = Judge(Rules(spare_authenticated=True), ["mail-from", "connect"])
    Talk(judge).say(connect(), sender())
    assert judge.asked == [("connect", "mail-from")]


class Later(Zone):
    """Has one question to reply to."""

    def __init__(self) -> None:
        super().__init__({}, cached=False)
        self.later = Deferred[list[Reply]]()
        self.cancelled = False

    def ask(self, questions: Sequence[Question], until: float) -> Deferred[list[Reply]]:
        self.later.on_cancel(lambda: setattr(self, "cancelled", True))
        return self.later


def test_a_dns_that_must_be_asked_makes_it_wait() -> None:
    judge = Judge()
    judge.responses = {"connect": Response(Action.REJECT, 550, "No")}
    judge.dns = zone = Later()
    talk = Talk(judge)
    assert talk.say(connect()) == b""
    zone.later.settle([Absent()])
    assert talk.drain() == result(b"reject|550 No")


def test_a_client_that_is_gone_is_not_judged(capfd: pytest.CaptureFixture[str]) -> None:
    judge = Judge()
    judge.responses = {"connect": Response(Action.REJECT, 550, "No")}
    judge.dns = zone = Later()
    talk = Talk(judge)
    assert talk.say(connect(), report(b"link-disconnect")) == b""
    assert zone.cancelled
    zone.later.settle([Absent()])
    assert (talk.drain(), capfd.readouterr().err) == (b"", "")


# --- who is spared --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ends",
    [
        (b"unix:/run/x", b"unix:/run/x"),
        (b"127.0.0.1:1", b""),
        (b"192.168.0.1:1", b"192.168.0.1:25"),
    ],
)
def test_programs_on_this_machine_are_not_judged(ends: tuple[bytes, bytes]) -> None:
    judge = Judge()
    judge.responses = dict.fromkeys(PHASES, JUNK_IT)
    said = Talk(judge).say(link(b"<unknown>", b"fail", *ends), helo(b"A"), sender())
    assert (said, judge.asked) == (PROCEED * 2, [])


def test_exemptions_are_of_the_time_of_the_connection(tmp_path: Path) -> None:
    file = tmp_path / "spared"
    file.write_text("192.0.2.0/24\n")
    judge = Judge(Rules(exempt=(str(file),)))
    judge.responses = {"connect": JUNK_IT, "helo": JUNK_IT}
    talk = Talk(judge)
    assert talk.say(connect()) == PROCEED
    file.write_text("*.example.net\n")
    judge.reload().function()()
    assert talk.say(helo(b"A")) == PROCEED
    assert Talk(judge).say(connect(b"mail.example.net")) == PROCEED
    assert Talk(judge).say(connect(b"mail.example.org")) == JUNK
    file.write_text("a b\n")
    with pytest.raises(ConfigError, match=f"^{file}:1: 'a b' is none of these"):
        judge.reload().function()
    assert Talk(judge).say(connect(b"mail.example.net")) == PROCEED


def test_a_session_without_a_beginning_is_spared() -> None:
    session = Session("1718c5e591926d28", ("rdns", "fcrdns", "source", "destination"))
    state = state_of(session)
    assert state.exempt
    assert state_of(session) is state


# --- the reasons ----------------------------------------------------------------------------------


def test_the_reasons_of_all_phases_are_in_each_message() -> None:
    judge = Judge()
    judge.responses = {"connect": MARK, "mail-from": MARK}
    talk = Talk(judge)
    talk.say(connect(), helo(b"A"), sender())
    lines = (b"X-Spam-Reason: connect; said ", b"X-Spam-Reason: mail-from; said A")
    assert talk.say(data(*MAIL)) == datalines(*lines, *MAIL)
    del judge.responses["mail-from"]
    talk.say(request(b"commit"), report(b"tx-reset", b"00000000"), sender())
    assert talk.say(data(*MAIL)) == datalines(lines[0], *MAIL)


def test_why_a_session_is_junk_is_kept_and_why_a_transaction_is_not() -> None:
    judge = Judge()
    judge.responses = {"helo": JUNK_IT, "mail-from": JUNK_IT}
    talk = Talk(judge)
    assert talk.say(connect(), helo(b"A"), helo(b"A"), helo(b"B"), sender()) == PROCEED + JUNK * 4
    judge.responses = {}
    talk.say(helo(b"C"), sender())
    assert talk.say(data(*MAIL)) == datalines(
        b"X-Spam-Reason: helo; said A", b"X-Spam-Reason: helo; said B", *MAIL
    )


def test_without_header_nothing_is_added() -> None:
    judge = Judge(Rules())
    session = Session("1718c5e591926d28", ("rdns", "fcrdns", "source", "destination"))
    state_of(session).reasons["connect"] = (Reason("connect", "x"),)
    assert judge.reasons(session) == []
    assert judge.on_message(session) is None


def test_the_end_of_the_process_saves_the_cache() -> None:
    zone = Zone({QUESTION: Found(("192.0.2.1",))})
    judge = Judge(zone=zone)
    judge.reload().function()()
    judge.stop()
    assert (zone.reread, zone.saved, zone.asked) == (1, 1, [])
