"""Decisions: what can be constructed, where it may answer, how it stands on the wire."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensmtpd.errors import DecisionError
from opensmtpd.filter import JUNK, PROCEED, Disconnect, Junk, Proceed, Reject, Rewrite
from opensmtpd.filter.decisions import LEGAL, encode


@pytest.mark.parametrize(
    ("phase", "decision", "wire"),
    [
        ("connect", PROCEED, b"proceed"),
        ("commit", PROCEED, b"proceed"),
        ("mail-from", JUNK, b"junk"),
        ("data", Reject(550, "5.7.1 No"), b"reject|550 5.7.1 No"),
        ("commit", Reject(421, "4.7.0 Later"), b"reject|421 4.7.0 Later"),
        ("connect", Disconnect(400, "Go"), b"disconnect|400 Go"),
        ("quit", Disconnect(599, "a|b ~"), b"disconnect|599 a|b ~"),
        ("helo", Rewrite(b"mx.example.org"), b"rewrite|mx.example.org"),
        ("ehlo", Rewrite(b"a|b\xff"), b"rewrite|a|b\xff"),
        ("mail-from", Rewrite(b"new@example.org"), b"rewrite|<new@example.org>"),
        ("mail-from", Rewrite(b""), b"rewrite|<>"),
        ("rcpt-to", Rewrite(b"a@b"), b"rewrite|<a@b>"),
    ],
)
def test_encode(phase: str, decision: object, wire: bytes) -> None:
    assert encode(phase, decision) == wire


EXAMPLES: dict[str, object] = {
    "proceed": PROCEED,
    "junk": JUNK,
    "reject": Reject(550, "No"),
    "disconnect": Disconnect(550, "No"),
    "rewrite": Rewrite(b"x"),
}
TAKEN = {
    "connect": "proceed junk reject disconnect",
    "helo": "proceed junk reject disconnect rewrite",
    "ehlo": "proceed junk reject disconnect rewrite",
    "starttls": "proceed junk reject disconnect",
    "auth": "proceed junk reject disconnect",
    "mail-from": "proceed junk reject disconnect rewrite",
    "rcpt-to": "proceed junk reject disconnect rewrite",
    "data": "proceed junk reject disconnect",
    "commit": "proceed reject disconnect",
    "rset": "proceed reject disconnect",
    "quit": "proceed reject disconnect",
    "noop": "proceed reject disconnect",
    "help": "proceed reject disconnect",
}


@pytest.mark.parametrize(("phase", "name"), list(itertools.product(TAKEN, EXAMPLES)))
def test_which_decision_may_answer_which_phase(phase: str, name: str) -> None:
    if name in TAKEN[phase].split():
        assert encode(phase, EXAMPLES[name]).startswith(name.encode())
    else:
        with pytest.raises(DecisionError, match=f"may not answer {phase}"):
            encode(phase, EXAMPLES[name])


def test_every_phase_is_in_the_table() -> None:
    assert LEGAL.keys() == TAKEN.keys()


@pytest.mark.parametrize("nonsense", [None, True, 0, "proceed", b"proceed", [], Proceed, Junk])
def test_nonsense_is_no_decision(nonsense: object) -> None:
    kind = "None" if nonsense is None else f"a {type(nonsense).__name__}"
    if isinstance(nonsense, type):
        kind = f"the class {nonsense.__name__}"
    with pytest.raises(DecisionError) as caught:
        encode("connect", nonsense)
    assert str(caught.value) == f"on_connect returned {kind}: return PROCEED or another decision"


def test_a_forgotten_return_says_what_to_do() -> None:
    with pytest.raises(DecisionError) as caught:
        encode("mail-from", None)
    assert str(caught.value) == "on_mail_from returned None: return PROCEED or another decision"


@pytest.mark.parametrize("kind", [Reject, Disconnect])
def test_a_text_that_is_bytes(kind: type[Reject | Disconnect]) -> None:
    with pytest.raises(DecisionError) as caught:
        kind(550, b"5.7.1 no")  # type: ignore[arg-type]  # the mistake under test
    assert str(caught.value) == "text is str, not bytes"


def test_a_wrong_answer_is_named_by_its_type_alone() -> None:
    with pytest.raises(DecisionError) as caught:
        encode("auth", b"PLAIN AGFsaWNlAHNlY3JldA==")
    assert str(caught.value) == "on_auth returned a bytes: return PROCEED or another decision"


@pytest.mark.parametrize("kind", [Reject, Disconnect])
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (399, "x"),
        (600, "x"),
        (250, "fine"),
        (True, "x"),
        ("550", "x"),
        (550.0, "x"),
        (550, ""),
        (550, " "),
        (550, b"x"),
        (550, None),
        (550, "two\nlines"),
        (550, "cr\r"),
        (550, "nul\0"),
        (550, "tab\t"),
        (550, "caf\xe9"),
        (550, "\x7f"),
        (550, "x" * 507),
    ],
)
def test_replies_that_cannot_be_constructed(kind: type, code: object, text: object) -> None:
    with pytest.raises(DecisionError):
        kind(code, text)


def test_the_longest_reply() -> None:
    assert encode("data", Reject(550, "x" * 506)) == b"reject|550 " + b"x" * 506


@pytest.mark.parametrize(
    "value", ["text", None, b"a\nb", b"a\rb", b"\0", b"\x7f", b"<a@b>", b"a>", b"x" * 1001]
)
def test_rewrites_that_cannot_be_constructed(value: object) -> None:
    with pytest.raises(DecisionError):
        Rewrite(value)  # type: ignore[arg-type]


def test_an_identity_cannot_be_rewritten_to_nothing() -> None:
    with pytest.raises(DecisionError, match="to nothing"):
        encode("ehlo", Rewrite(b""))


def test_repr() -> None:
    shown = [PROCEED, JUNK, Reject(550, "No"), Disconnect(421, "Go"), Rewrite(b"x")]
    assert [repr(decision) for decision in shown] == [
        "Proceed()",
        "Junk()",
        "Reject(550, 'No')",
        "Disconnect(421, 'Go')",
        "Rewrite(b'x')",
    ]


@given(code=st.integers(), text=st.text())
def test_a_reply_is_refused_or_stands_on_one_line_of_printable_ascii(code: int, text: str) -> None:
    try:
        wire = encode("connect", Reject(code, text))
    except DecisionError:
        return
    assert re.fullmatch(rb"reject\|[45][0-9][0-9] [ -~]{1,506}", wire)


@given(value=st.binary(), phase=st.sampled_from(["helo", "ehlo", "mail-from", "rcpt-to"]))
def test_a_rewrite_is_refused_or_stands_on_one_line(value: bytes, phase: str) -> None:
    try:
        wire = encode(phase, Rewrite(value))
    except DecisionError:
        return
    bare = wire[9:-1] if phase in ("mail-from", "rcpt-to") else wire[8:]
    assert bare == value
    assert not set(wire) & {0, 10, 13}


@pytest.mark.parametrize(
    ("decision", "name"),
    [(Reject(550, "no"), "text"), (Disconnect(421, "no"), "code"), (Rewrite(b"x"), "value")],
)
def test_what_was_checked_cannot_be_changed(decision: object, name: str) -> None:
    with pytest.raises(AttributeError, match="cannot be changed"):
        setattr(decision, name, "a\nb")
