"""filter-rspamd: what becomes of a message, and its options."""

from typing import Any

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.testing import Outcome, run_message
from opensmtpd_filters.rspamd import Rspamd, parser
from unit.support.fake_rspamd import HAM, FakeRspamd
from unit.support.rspamd_mail import (
    MESSAGE,
    NEW_SESSION,
    TEMPFAIL,
    below,
    decided,
    front,
    make,
    send,
)

SPAM: dict[str, Any] = {
    "action": "add header",
    "score": 6.1,
    "required_score": 15,
    "symbols": {"TWO": {"score": 4.6}, "ONE": {"score": 1.5}},
}
MARKS = (
    b"X-Spam: yes\nX-Spam-Score: 6.1 / 15\n"
    b"X-Spam-Status: Yes, score=6.100 required=15.000\n\ttests=[ONE=1.500, TWO=4.600]\n"
)


def unchanged(outcome: Outcome) -> bool:
    return outcome.message == outcome.received + MESSAGE


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["no action", "greylist", "accept"])
def test_a_message_that_passes(action: str) -> None:
    outcome = send({**HAM, "action": action})
    assert (outcome.accepted, outcome.junk, unchanged(outcome)) == (True, False, True)
    assert outcome.decisions == (("commit", b"proceed"),)


@pytest.mark.parametrize(
    ("action", "messages", "reply"),
    [
        ("reject", {}, b"550 message rejected"),
        ("reject", {"smtp_message": "Gtube pattern"}, b"550 Gtube pattern"),
        ("soft reject", {}, b"451 try again later"),
        ("soft reject", {"smtp_message": "Try again\r\nlater"}, b"451 Try again later"),
        ("discard", {}, b"550 message rejected"),
    ],
)
def test_a_message_that_is_refused(action: str, messages: Any, reply: bytes) -> None:
    outcome = send({**HAM, "action": action, "messages": messages})
    assert (outcome.accepted, outcome.reply) == (False, reply)
    assert decided(outcome) == b"reject|" + reply


def test_spam_is_marked() -> None:
    outcome = send(SPAM, b"X-Spam: no\n" + MESSAGE)
    assert outcome.message == MARKS + outcome.received + MESSAGE
    assert (outcome.accepted, outcome.junk) == (True, False)


@pytest.mark.parametrize("reject", ["quarantine", "discard"])
def test_in_the_place_of_a_refusal(reject: str) -> None:
    outcome = send({**HAM, "action": "reject", "milter": {"reject": reject}})
    assert outcome.accepted is (reject == "quarantine")
    assert (front(outcome) == b"X-Spam: yes\n") is outcome.accepted


def test_no_action() -> None:
    milter = {"no_action": True, "add_headers": {"X-A": "1"}}
    outcome = send({**HAM, "action": "reject", "milter": milter})
    assert outcome.accepted
    assert front(outcome) == b"X-Rspamd-Action: reject\nX-A: 1\n"
    assert below(outcome) == MESSAGE


def test_another_subject() -> None:
    outcome = send({**HAM, "action": "rewrite subject", "subject": "*** hello"})
    assert below(outcome) == MESSAGE.replace(b"Subject: hello", b"Subject: *** hello")


def test_fields_are_removed_and_added() -> None:
    milter = {
        "remove_headers": {"subject": 0, "FROM": 1},
        "add_headers": {
            "Authentication-Results": {"value": "mx;\r\n\tdkim=pass", "order": 1},
            "X-Rspamd-Server": "mx",
            "X-Lines": "a\nb\r\n\r\nX-Spam: no",
            "X-Last": {"value": "z", "order": -1},
            "X-Below": [{"value": "1", "order": 1}, {"value": "2", "order": 1000}],
        },
    }
    outcome = send({**HAM, "milter": milter, "dkim-signature": ["a=1", "a=2;\n\tb=2"]})
    assert front(outcome) == (
        b"DKIM-Signature: a=1\nDKIM-Signature: a=2;\n\tb=2\n"
        b"X-Rspamd-Server: mx\nX-Lines: a\n\tb\n\tX-Spam: no\n"
        b"Authentication-Results: mx;\n\tdkim=pass\n"
    )
    assert below(outcome) == b"X-Below: 1\nX-Last: z\nX-Below: 2\n\ntext\n..dots\n"


def test_a_field_on_top_that_begins_with_a_dot() -> None:
    outcome = send({**HAM, "milter": {"add_headers": {".X": ".y\n.z"}}})
    assert front(outcome) == b".X: .y\n\t.z\n"


# --- requests -------------------------------------------------------------------------------------


def scanned(message: bytes = MESSAGE, line: str = "", **client: Any) -> Any:
    """Return the request about a message, and its fate."""
    with FakeRspamd() as server:
        filter = make(server.url, line=line)
        outcome = run_message(filter, message, **client)
        filter.stop()
    [request] = server.scanned
    return request, outcome


def test_the_request() -> None:
    recipients = [b"alice@example.com", b"carol@example.com"]
    request, outcome = scanned(
        line="-settings-id strict",
        source=b"[2001:db8::5]:4711",
        rdns=b"mx.remote.example",
        helo=b"helo.example",
        username=b"bob",
        recipients=recipients,
    )
    assert request.first == "POST /checkv2 HTTP/1.1"
    assert request.body == outcome.received + MESSAGE
    length = b"%d" % len(request.body)
    msgid = outcome.received.partition(b" id ")[2][:8]
    assert request.fields[1:] == [
        (b"Connection", b"close"),
        (b"Content-Length", length),
        (b"Pass", b"All"),
        (b"Milter", b"Yes"),
        (b"Ip", b"2001:db8::5"),
        (b"Helo", b"helo.example"),
        (b"MTA-Name", b"example.com"),
        (b"Queue-Id", msgid),
        (b"From", b"bob@remote.example"),
        (b"Hostname", b"mx.remote.example"),
        (b"User", b"bob"),
        (b"Settings-ID", b"strict"),
        (b"TLS-Version", b"TLSv1.3"),
        (b"TLS-Cipher", b"TLS_AES_256_GCM_SHA384"),
        (b"Rcpt", b"alice@example.com"),
        (b"Rcpt", b"carol@example.com"),
    ]


def test_more_recipients_than_rspamd_takes() -> None:
    """The message is scanned all the same: a client chooses how many there are."""
    recipients = [b"alice+%0100d@example.com" % number for number in range(900)]
    request, outcome = scanned(recipients=recipients)
    told = request.values(b"Rcpt")
    assert outcome.accepted
    assert told == recipients[: len(told)]
    assert 450 < len(told) < 500
    assert sum(len(name) + len(value) + 4 for name, value in request.fields) < 61_500
    line = f"{NEW_SESSION}rspamd-recipients told={len(told)} of=900"
    assert outcome.log.count(line) == 1


def test_all_recipients_fit() -> None:
    _, outcome = scanned(recipients=[b"alice+%d@example.com" % number for number in range(100)])
    assert [line for line in outcome.log if "rspamd-recipients" in line] == []


def test_a_client_at_smtpds_own_socket() -> None:
    request, _ = scanned(source=b"unix:/var/run/smtpd.sock", rdns=b"<unknown>", sender=b"")
    assert request.values(b"Ip") == [b"127.0.0.1"]
    assert request.values(b"Hostname") == []
    assert request.values(b"From") == [b""]
    assert request.values(b"Deliver-To") == [b"alice@example.com"]


@pytest.mark.parametrize(
    "message",
    [b"", b"\n", b"\n\n", b"A: 1\n", b"text without a header\n", b".\n..\n", b"\xff\x00\r\n",
     b"A: 1\n\n" + b"x" * 60_000 + b"\n", b"A: 1\n\n" + b"y\n" * 100_000],
    ids=lambda message: f"{message[:9]}-{len(message)}",
)  # fmt: skip
def test_any_message_is_scanned_as_it_came(message: bytes) -> None:
    request, outcome = scanned(message)
    assert outcome.accepted
    assert request.body == outcome.message


# --- options --------------------------------------------------------------------------------------


def flags(line: str) -> Any:
    return parser().parse_args(line.split())


def test_the_flags_of_the_filter_in_go() -> None:
    for line in (
        "-url http://h.example:1 -settings-id x",
        "--url=http://h.example:1 --settings-id=x",
    ):
        found = flags(line)
        assert [each.shown for each in found.url] == ["http://h.example:1"]
        assert found.settings_id == "x"


def test_what_holds_without_options() -> None:
    found = flags("")
    assert (found.url, found.settings_id, found.timeout, found.fail) == ([], "", 30.0, "tempfail")
    assert found.max_size == 50 << 20
    filter = Rspamd(found)
    assert [filter.scanner.servers.name(index) for index in range(len(filter.scanner.servers))] == [
        "http://localhost:11333"
    ]
    assert filter.scanner.timeout == 30.0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-url h.example", "'h.example' is no URL and no absolute path; write http://HOST:PORT"),
        ("-url http://me:secret@h.example", "has no user, no query and no fragment"),
        ("--fail maybe", "invalid choice: 'maybe'"),
        ("--max-size many", "'many' is not a size such as 512M or 2G"),
        ("--timeout 0", "'0' is not"),
        ("--timeout soon", "'soon' is not"),
        ("another", "unrecognized arguments: another"),
    ],
)
def test_mistakes_are_told(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        flags(line)
    assert raised.value.code != 0
    said = capsys.readouterr().err
    assert words in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("line", "least"),
    [("--timeout 60", 63), ("--timeout 5 --deadline 5", 8), ("--deadline 30", 33),
     ("--deadline 32", 33)],
)  # fmt: skip
def test_a_timeout_that_is_longer_than_the_deadline(line: str, least: int) -> None:
    with pytest.raises(ConfigError) as raised:
        Rspamd(flags(line))
    assert str(raised.value) == (
        f"--timeout is not 3 seconds shorter than --deadline; set --deadline to {least} or more"
    )


def test_a_timeout_that_is_longer_than_smtpd_waits() -> None:
    """No deadline is above 0.8 of the time that smtpd gives a session."""
    assert Rspamd(flags("--timeout 237 --deadline 1000")).scanner.timeout == 237.0
    with pytest.raises(ConfigError) as raised:
        Rspamd(flags("--timeout 237.5 --deadline 1000"))
    assert str(raised.value) == "--timeout is longer than smtpd waits; set it to 237 or less"


def test_a_timeout_3_seconds_below_the_deadline() -> None:
    """The worker's own limit, 2 seconds behind, must come before the engine's."""
    assert Rspamd(flags("--deadline 33")).scanner.timeout == 30.0


def test_settings_that_are_no_line() -> None:
    with pytest.raises(ConfigError, match="-settings-id holds a character that cannot be printed"):
        Rspamd(parser().parse_args(["-settings-id", "a\r\nPass: x"]))


def test_only_what_it_needs_is_registered() -> None:
    assert Rspamd.uses == (
        *("rdns", "source", "greeting", "identity", "tls", "username", "msgid", "sender"),
        "recipients",
    )


def test_without_a_server(tmp_path: Any) -> None:
    filter = make(str(tmp_path / "none"))
    for _ in range(3):
        outcome = run_message(filter, MESSAGE)
        assert outcome.reply == TEMPFAIL
        assert outcome.log[-1] == (
            f'{NEW_SESSION}rspamd-failed reason="No such file or directory"'
            f" url={tmp_path}/none action=tempfail"
        )
    assert run_message(make(str(tmp_path / "none"), line="--fail open"), MESSAGE).accepted


# --- with -n --------------------------------------------------------------------------------------


def test_servers_that_answer() -> None:
    with FakeRspamd() as first, FakeRspamd() as second:
        make(first.url, second.url, line="-n").stop()
    assert (first.pings, second.pings) == (1, 1)


def test_each_server_that_does_not_answer_is_named(tmp_path: Any) -> None:
    with FakeRspamd() as server, pytest.raises(ConfigError) as raised:
        make(str(tmp_path / "none"), server.url, str(tmp_path / "other"), line="-n")
    assert str(raised.value) == (
        f"{tmp_path}/none: No such file or directory;"
        f" {tmp_path}/other: No such file or directory;"
        " start rspamd there, or change -url"
    )


def test_a_server_that_is_another_program() -> None:
    with FakeRspamd(closes_after=1) as server, pytest.raises(ConfigError) as raised:
        make(server.url, line="-n")
    assert str(raised.value).startswith(f"{server.url}: ")


def test_without_n_the_servers_are_not_asked(tmp_path: Any) -> None:
    with FakeRspamd() as server:
        make(server.url, str(tmp_path / "none"))
    assert server.connections == 0
