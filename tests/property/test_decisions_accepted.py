"""Every decision that can be constructed is one that smtpd takes, in its phase, in each release."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd.errors import DecisionError
from opensmtpd.filter import JUNK, PROCEED, Decision, Disconnect, Junk, Reject, Rewrite
from opensmtpd.filter.decisions import LEGAL, encode
from opensmtpd.testing import SmtpClient, Smtpd

PHASES = [*LEGAL]
TEXTS = st.one_of(st.text(max_size=520), st.text("ab |\r\n\0~", max_size=20), st.just("x" * 506))


def made(make: type[Reject] | type[Disconnect], code: int, text: str) -> Decision | None:
    try:
        return make(code, text)
    except DecisionError:
        return None


def rewritten(value: bytes) -> Decision | None:
    try:
        return Rewrite(value)
    except DecisionError:
        return None


DECISIONS: st.SearchStrategy[Decision | None] = st.one_of(
    st.just(PROCEED),
    st.just(JUNK),
    st.builds(made, st.sampled_from([Reject, Disconnect]), st.integers(390, 610), TEXTS),
    st.builds(made, st.just(Reject), st.sampled_from([421, 450, 550]), st.text("ab |", min_size=1)),
    st.builds(rewritten, st.binary(max_size=1100)),
    st.builds(rewritten, st.sampled_from([b"a@b.example", b"", b"name.example", b"<a@b>", b"a b"])),
)


def without_route(value: bytes) -> bytes:
    """Return the address as smtpd reads it: without its source route; ``@`` is the null sender."""
    user, at, domain = value.rpartition(b"@")
    if not at:
        user, domain = domain, b""
    user = user.split(b":", 1)[-1]
    return user + b"@" + domain if domain else user


def at_phase(version: str, phase: str) -> tuple[Smtpd, SmtpClient]:
    """Return a client that waits for the answer to ``phase``, the only one the filter is asked."""
    smtpd = Smtpd(version)
    smtpd.receive(b"register|filter|smtp-in|%s\nregister|ready\n" % phase.encode())
    client = smtpd.connect()
    if phase == "connect":
        return smtpd, client
    if phase == "helo":
        client.helo()
        return smtpd, client
    client.ehlo()
    if phase in ("starttls", "auth"):
        client.starttls()
    if phase == "auth":
        client.ehlo()
        client.auth()
    if phase in ("mail-from", "rcpt-to", "data", "commit"):
        client.mail()
    if phase in ("rcpt-to", "data", "commit"):
        client.rcpt()
    if phase in ("data", "commit"):
        client.data()
    if phase == "commit":
        client.send(b"Subject: x\n\ny\n")
    if phase in ("rset", "quit", "noop"):
        getattr(client, phase)()
    return smtpd, client


ASKED = [phase for phase in PHASES if phase != "help"]  # which no smtpd asks about


@settings(max_examples=1500)
@given(DECISIONS, st.sampled_from(ASKED), st.sampled_from(["6.8.0", "7.6.0", "7.9.0"]))
def test_what_can_be_constructed_is_taken(
    decision: Decision | None, phase: str, version: str
) -> None:
    if decision is None:
        return
    try:
        text = encode(phase, decision)
    except DecisionError:
        illegal = not isinstance(decision, LEGAL[phase])
        assert illegal or (isinstance(decision, Rewrite) and not decision.value)
        return
    smtpd, client = at_phase(version, phase)
    assert client.waiting, "the phase is asked about"
    said = len(client.replies)
    smtpd.receive(b"filter-result|%s|%s|%s\n" % (client.id, smtpd.token(phase), text))
    assert smtpd.hung() == []
    assert b"421 Internal server error" not in client.replies
    if isinstance(decision, Reject | Disconnect):
        assert client.replies[said] == b"%d %s" % (decision.code, decision.text.encode())
        dropped = isinstance(decision, Disconnect) or decision.code == 421
        assert client.connected != dropped
    elif decision in (PROCEED, JUNK):
        assert client.replies[-1][:1] in (b"2", b"3")
    elif client.replies[-1][:1] == b"2":
        assert isinstance(decision, Rewrite)
        addresses = [client.identity]
        for transaction in client.transactions:
            addresses += [transaction.sender, *transaction.recipients]
        assert decision.value in addresses or without_route(decision.value) in addresses


@pytest.mark.parametrize("phase", PHASES)
def test_proceed_is_legal_everywhere_and_junk_not_at_commit(phase: str) -> None:
    assert encode(phase, PROCEED) == b"proceed"
    assert (Junk in LEGAL[phase]) == (phase not in ("commit", "rset", "quit", "noop", "help"))


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
@pytest.mark.parametrize("phase", ASKED)
def test_each_phase_is_asked_about(version: str, phase: str) -> None:
    smtpd, client = at_phase(version, phase)
    assert smtpd.hung() == [(client.id, phase, smtpd.token(phase))]
