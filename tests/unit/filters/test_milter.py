"""filter-milter: what becomes of a message by the milters' verdicts, and its options."""

import time
from typing import Any

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.testing import run_message
from opensmtpd_filters.milter import Milter, parser
from unit.support.milter_mail import (
    HASTY,
    MESSAGE,
    NEW_SESSION,
    below,
    front,
    make,
    send,
    talk,
)
from unit.support.scripted_milter import (
    ACCEPT,
    CONN_FAIL,
    CONTINUE,
    DISCARD,
    REJECT,
    SHUTDOWN,
    STAGES,
    TEMPFAIL,
    Heard,
    Last,
    ScriptedMilter,
    large,
    said,
    strings,
)

PHASES = {"connect": "connect", "helo": "ehlo", "mail": "mail-from", "rcpt": "rcpt-to",
          "data": "data", "header": "commit", "eoh": "commit", "body": "commit", "eom": "commit",
          }  # fmt: skip
ALL = list(dict.fromkeys(PHASES.values()))


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
def test_a_message_that_passes(version: str) -> None:
    with ScriptedMilter() as milter:
        outcome = send(milter, version=version)
    assert (outcome.accepted, outcome.junk, outcome.log) == (True, False, ())
    assert outcome.message == outcome.received + MESSAGE
    assert outcome.decisions == tuple((phase, b"proceed") for phase in ALL)
    assert milter.letters().removesuffix(b"Q") == b"OCHMRTLLNBE"


@pytest.mark.parametrize(
    ("reply", "code_and_text"),
    [
        (REJECT, b"550 5.7.1 Command rejected"),
        (TEMPFAIL, b"451 4.7.1 Service unavailable, try again later"),
        (CONN_FAIL, b"421 4.7.1 Service unavailable, try again later"),
        (SHUTDOWN, b"421 4.7.1 Service unavailable, try again later"),
        (said(b"554 5.7.9 Go away"), b"554 5.7.9 Go away"),
        (said(b"450 4.2.0 Wait"), b"450 4.2.0 Wait"),
        (said(b"421 4.3.0 Later"), b"421 4.3.0 Later"),
        (said(b"550-5.7.1 One\r\n550 5.7.1 Two"), b"550 5.7.1 One Two"),
    ],
)
@pytest.mark.parametrize(("step", "letter"), STAGES.items())
def test_a_refusal(step: str, letter: bytes, reply: bytes, code_and_text: bytes) -> None:
    with ScriptedMilter({letter: reply}) as milter, ScriptedMilter() as second:
        outcome = send(milter, second)
    assert (outcome.accepted, outcome.reply) == (False, code_and_text)
    kind = b"disconnect" if code_and_text.startswith(b"421") else b"reject"
    refused = {answer for answer in outcome.decisions if answer[1] != b"proceed"}
    assert refused == {(PHASES[step], kind + b"|" + code_and_text)}
    assert outcome.log == (
        f'{NEW_SESSION}milter-refused milter={milter.place} reply="{code_and_text.decode()}"',
    )
    assert letter not in second.letters()


@pytest.mark.parametrize(("step", "letter"), STAGES.items())
def test_accept(step: str, letter: bytes) -> None:
    """The message goes on to the next one."""
    with ScriptedMilter({letter: ACCEPT}) as first, ScriptedMilter() as second:
        outcome = send(first, second)
    assert (outcome.accepted, outcome.log) == (True, ())
    assert outcome.message == outcome.received + MESSAGE
    assert first.letters().removesuffix(b"Q") == b"OCHMRTLLNBE".partition(letter)[0] + letter
    assert second.letters().removesuffix(b"Q") == b"OCHMRTLLNBE"


@pytest.mark.parametrize(("step", "letter"), STAGES.items())
def test_a_milter_that_is_alone_accepts(step: str, letter: bytes) -> None:
    with ScriptedMilter({letter: ACCEPT}) as milter:
        outcome = send(milter)
    assert (outcome.accepted, outcome.log) == (True, ())
    assert outcome.message == outcome.received + MESSAGE
    assert milter.letters().removesuffix(b"Q") == b"OCHMRTLLNBE".partition(letter)[0] + letter


OF_MESSAGES = [each for each in STAGES.items() if each[0] not in ("connect", "helo")]


@pytest.mark.parametrize(("step", "letter"), OF_MESSAGES)
def test_discard_is_junk(step: str, letter: bytes) -> None:
    with ScriptedMilter() as first, ScriptedMilter({letter: DISCARD}) as second:
        outcome = send(first, second)
    assert (outcome.accepted, outcome.junk) == (True, False)
    assert front(outcome) == b"X-Spam: Yes\n"
    assert below(outcome) == MESSAGE
    assert outcome.log == (f"{NEW_SESSION}milter-discarded action=junk",)


@pytest.mark.parametrize(("step", "letter"), OF_MESSAGES)
def test_discard_is_a_refusal(step: str, letter: bytes) -> None:
    with ScriptedMilter() as first, ScriptedMilter({letter: DISCARD}) as second:
        outcome = send(first, second, line="--discard reject")
    assert (outcome.accepted, outcome.reply) == (False, b"550 5.7.1 Message refused")
    assert outcome.decisions[-1] == (PHASES[step], b"reject|550 5.7.1 Message refused")


@pytest.mark.parametrize("letter", [b"C", b"H"])
@pytest.mark.parametrize("fail", ["open", "tempfail"])
def test_discard_of_a_session_is_nonsense(letter: bytes, fail: str) -> None:
    with ScriptedMilter({letter: DISCARD}) as milter:
        outcome = send(milter, line=f"--fail {fail}")
    assert outcome.accepted is (fail == "open")
    name = {b"C": "CONNECT", b"H": "HELO"}[letter]
    assert outcome.log[0] == (
        f"{NEW_SESSION}milter-lost milter={milter.place}"
        f' reason="the milter discards a message at {name}"'
    )


def test_quarantine() -> None:
    wish = large(b"q", strings(b"virus \xff found")) + CONTINUE
    with ScriptedMilter({b"E": wish}) as milter:
        outcome = send(milter)
    assert outcome.accepted
    assert front(outcome) == b"X-Spam: Yes\nX-Quarantine: virus ? found\n"
    assert below(outcome) == MESSAGE
    assert outcome.log == (f'{NEW_SESSION}milter-quarantine reason="virus ? found"',)


def test_quarantine_by_two() -> None:
    first = ScriptedMilter({b"E": large(b"q", b"one\0") + CONTINUE})
    second = ScriptedMilter({b"E": large(b"q", b"x" * 60_000) + ACCEPT})
    with first, second:
        outcome = send(first, second)
    assert front(outcome) == (
        b"X-Spam: Yes\nX-Quarantine: " + b"x" * 900 + b"\nX-Quarantine: one\n"
    )


ENVELOPE = [
    (large(b"+", strings(b"<c@example.net>")), "add recipient"),
    (large(b"2", strings(b"<c@example.net>", b"NOTIFY=NEVER")), "add recipient"),
    (large(b"-", strings(b"<alice@example.com>")), "delete recipient"),
    (large(b"e", strings(b"<>")), "change sender"),
]


@pytest.mark.parametrize(("wish", "words"), ENVELOPE)
def test_changes_of_the_envelope_are_told(wish: bytes, words: str) -> None:
    with ScriptedMilter({b"E": wish + CONTINUE}) as milter:
        outcome = send(milter)
    assert outcome.message == outcome.received + MESSAGE
    shown = f'"{words}"'
    assert outcome.log == (
        f"{NEW_SESSION}milter-envelope wants={shown}"
        ' reason="smtpd lets no filter change the envelope of a message"',
    )


@pytest.mark.parametrize(("wish", "words"), ENVELOPE)
def test_changes_of_the_envelope_are_refused(wish: bytes, words: str) -> None:
    first = ScriptedMilter({b"E": wish + CONTINUE})
    second = ScriptedMilter({b"E": ENVELOPE[2][0] + CONTINUE})
    with first, second:
        outcome = send(first, second, line="--envelope tempfail")
    assert outcome.reply == b"451 4.3.0 A milter wants to change the envelope of this message"
    assert outcome.log == (
        f'{NEW_SESSION}milter-envelope wants="{words},delete recipient"'
        ' reason="smtpd lets no filter change the envelope of a message"',
    )


# --- clients --------------------------------------------------------------------------------------


def met(**client: Any) -> ScriptedMilter:
    with ScriptedMilter() as milter:
        assert send(milter, **client).accepted
    return milter


@pytest.mark.parametrize(
    ("client", "connect"),
    [
        ({}, b"client.example\x004\x9f\x11192.0.2.5\0"),
        ({"fcrdns": "fail"}, b"[192.0.2.5]\x004\x9f\x11192.0.2.5\0"),
        ({"fcrdns": "error"}, b"[192.0.2.5]\x004\x9f\x11192.0.2.5\0"),
        ({"rdns": b"<unknown>", "fcrdns": "error"}, b"[192.0.2.5]\x004\x9f\x11192.0.2.5\0"),
        ({"source": b"[2001:db8::5]:25"}, b"client.example\x006\0\x192001:db8::5\0"),
        (
            {"source": b"[2001:db8::5]:25", "fcrdns": "fail"},
            b"[2001:db8::5]\x006\0\x192001:db8::5\0",
        ),
        (
            {"source": b"unix:/var/run/smtpd.sock", "rdns": b"localhost"},
            b"localhost\x004\0\x00127.0.0.1\0",
        ),
    ],
)
def test_the_client(client: dict[str, Any], connect: bytes) -> None:
    assert met(**client).data(b"C") == [connect]


def test_the_envelope() -> None:
    milter = met(
        helo=b"[192.0.2.5]", sender=b"", recipients=[b"alice@example.com", b"carol@example.com"]
    )
    assert milter.data(b"H") == [b"[192.0.2.5]\0"]
    assert milter.data(b"M") == [b"<>\0"]
    assert milter.data(b"R") == [b"<alice@example.com>\0", b"<carol@example.com>\0"]
    (first, second), (mail,) = milter.macros(b"R"), milter.macros(b"M")
    assert mail == {b"{mail_addr}": b""}
    assert first == {b"i": first[b"i"], b"{rcpt_addr}": b"alice@example.com"}
    assert second == {b"i": first[b"i"], b"{rcpt_addr}": b"carol@example.com"}
    assert [milter.macros(each) for each in (b"T", b"N", b"E")] == [[{b"i": first[b"i"]}]] * 3


def test_source_routes_are_left_out() -> None:
    """smtpd does so: a milter would judge by the address of somebody else."""
    routed = [b"postmaster@x:alice@example.com"]
    milter = met(sender=b"@relay.example:bob@remote.example", recipients=routed)
    assert milter.data(b"M") == [b"<bob@remote.example>\0"]
    assert milter.data(b"R") == [b"<alice@example.com>\0"]
    assert [found[b"{mail_addr}"] for found in milter.macros(b"M")] == [b"bob@remote.example"]


def test_the_macros_of_connect() -> None:
    assert met(source=b"[2001:db8::5]:25", fcrdns="fail").macros(b"C") == [
        {
            b"j": b"example.com",
            b"_": b"[2001:db8::5] [2001:db8::5]",
            b"v": b"OpenSMTPD",
            b"{daemon_name}": b"smtpd",
            b"{if_addr}": b"192.0.2.1",
            b"{client_addr}": b"2001:db8::5",
            b"{client_name}": b"unknown",
            b"{client_ptr}": b"client.example",
            b"{client_port}": b"25",
        }
    ]


def test_a_user_and_tls() -> None:
    milter = met(username=b"bob")
    assert milter.letters().removesuffix(b"Q") == b"OCHHMRTLLNBE"
    tls = {
        b"{tls_version}": b"TLSv1.3",
        b"{cipher}": b"TLS_AES_256_GCM_SHA384",
        b"{cipher_bits}": b"256",
    }
    assert milter.macros(b"H") == [tls]
    assert milter.macros(b"M") == [
        {
            b"{mail_addr}": b"bob@remote.example",
            b"{auth_authen}": b"bob",
            b"{auth_type}": b"PLAIN",
        }
    ]


# --- options --------------------------------------------------------------------------------------


def test_what_holds_without_options() -> None:
    found = parser().parse_args(["/run/x"])
    assert (found.milter, found.fail, found.discard, found.envelope) == (
        *(["/run/x"], "tempfail", "junk", "ignore"),
    )
    assert (found.connect_timeout, found.command_timeout, found.content_timeout) == (30, 30, 300)
    assert (found.deadline, found.check) == (240.0, False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "the following arguments are required: MILTER"),
        ("--fail maybe /run/x", "invalid choice: 'maybe'"),
        ("--discard drop /run/x", "invalid choice: 'drop'"),
        ("--envelope change /run/x", "invalid choice: 'change'"),
        ("--connect-timeout 0 /run/x", "'0' is not a number of seconds above 0"),
        ("--command-timeout soon /run/x", "'soon' is not a number of seconds above 0"),
        ("--content-timeout -1 /run/x", "'-1' is not a number of seconds above 0"),
    ],
)
def test_mistakes_are_told(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parser().parse_args(line.split())
    assert raised.value.code != 0
    assert words in capsys.readouterr().err


def test_two_milters_that_hang_share_the_time_of_a_message() -> None:
    """With --fail open it passes, though each of them might take longer."""
    with ScriptedMilter({b"E": b""}) as one, ScriptedMilter({b"E": b""}) as other:
        outcome = run_message(make(one.place, other.place, line="--fail open --deadline 6"))
    assert outcome.accepted
    assert [line.partition(" ")[2] for line in outcome.log] == [
        f'milter-lost milter={each.place} reason="it does not answer in time"'
        for each in (one, other)
    ]


def test_a_client_does_not_wait_for_the_milters_longer_than_smtpd(logged: list[str]) -> None:
    """The negotiation and CONNECT are late together, and neither by itself."""
    with ScriptedMilter() as milter:
        offer = milter.offer

        def slowly(heard: Heard) -> bytes:
            time.sleep(1.2)
            return offer if heard.letter == b"O" else CONTINUE

        milter.replies.update({b"O": slowly, b"C": slowly})
        with talk(milter, line="--deadline 2") as mta:
            assert mta.come().replies[-1][:3] == b"220"
    assert logged == [
        f'{NEW_SESSION}milter-lost milter={milter.place} reason="it does not answer in time"'
    ]


@pytest.mark.parametrize(
    ("deadline", "patience"), [(1, 0.9), (50, 45), (60, 55), (240, 235), (1000, 235)]
)
def test_the_time_for_all_milters(deadline: float, patience: float) -> None:
    """No deadline is above 0.8 of the time that smtpd gives a session."""
    assert make("/run/x", line=f"--deadline {deadline}").milters.patience == patience


def test_a_place_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"^'run/x' is no place of a milter; write unix:/PATH,"):
        make("/run/x", "run/x")


def test_it_needs_no_more_than_it_uses() -> None:
    assert Milter.uses == (
        *("rdns", "fcrdns", "source", "destination", "greeting", "identity", "tls", "username"),
        "msgid",
    )


# --- with -n --------------------------------------------------------------------------------------


def test_milters_that_answer() -> None:
    with ScriptedMilter() as first, ScriptedMilter() as second:
        make(first, second, line="-n").stop()
        first.gone()
        second.gone()
    assert (first.letters(), second.letters()) == (b"OQ", b"OQ")


def test_each_milter_that_does_not_answer_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opensmtpd.mail.milter.client.PING_WITHIN", 60.0)
    with (
        ScriptedMilter() as there,
        ScriptedMilter({b"O": Last()}) as closing,
        ScriptedMilter({b"O": b""}) as silent,
        pytest.raises(ConfigError) as raised,
    ):
        make(f"unix:{tmp_path}/none", there, closing, silent, line=f"-n {HASTY}")
    assert str(raised.value) == (
        f"unix:{tmp_path}/none: No such file or directory;"
        f" {closing.place}: it has closed the connection;"
        f" {silent.place}: it does not answer in time;"
        " start the milter, or name its place and, for a unix socket, its group"
    )


def test_a_milter_that_hangs_with_long_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """-n does not wait as long as mail does."""
    monkeypatch.setattr("opensmtpd.mail.milter.client.PING_WITHIN", 0.5)
    with ScriptedMilter({b"O": b""}) as silent, pytest.raises(ConfigError) as raised:
        make(silent, line="-n")
    assert str(raised.value).startswith(f"{silent.place}: ")


def test_without_n_the_milters_are_not_asked(tmp_path: Any) -> None:
    with ScriptedMilter() as milter:
        make(milter, f"unix:{tmp_path}/none").stop()
    assert milter.connections == 0


def test_a_filter_for_many_messages() -> None:
    with ScriptedMilter() as milter:
        filter = make(milter)
        for _ in range(3):
            assert run_message(filter, MESSAGE).accepted
        filter.stop()
        milter.gone()
    assert [milter.letters(number) for number in (0, 1)] == [b"OCHMRTLLNBEQ"] * 2
