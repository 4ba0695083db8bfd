"""filter-headers: the fate of messages by its rules, whose mail is ours, reload and options."""

import sys
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.needs import Needs
from opensmtpd.testing import run_message
from opensmtpd_filters.headers import Headers, parser
from unit.support.child import Child
from unit.support.ruled_mail import NEW_SESSION, make, send

MESSAGE = (
    b"Received: from laptop\n\tby relay.example\n"
    b"From: Bob <bob@spam.example>\n"
    b"Subject: =?utf-8?q?buy?=\n =?utf-8?q?_now?=\n"
    b"User-Agent: x\n"
    b"\n"
    b"Subject: in the body\n..dots\n"
)
REFUSED = b"550 5.7.1 Message refused"


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
def test_a_message_that_no_rule_is_about(version: str) -> None:
    """It stays as it is, byte for byte."""
    rules = "reject Subject /in the body/\njunk X *\nremove Y\nreplace From nobody x\nprivacy\n"
    outcome = send(rules, MESSAGE, version=version)
    assert (outcome.accepted, outcome.junk, outcome.log) == (True, False, ())
    assert outcome.decisions == (("commit", b"proceed"),)
    assert outcome.message == outcome.received + MESSAGE


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
def test_reject(version: str) -> None:
    outcome = send("\nreject Subject /^buy now$/\n", MESSAGE, version=version)
    assert (outcome.accepted, outcome.reply) == (False, REFUSED)
    assert outcome.decisions == (("commit", b"reject|" + REFUSED),)
    assert outcome.log == (f"{NEW_SESSION}headers-reject line=2",)


def test_reject_with_words() -> None:
    outcome = send('reject From *@spam.example* "451 4.7.1 Come later"', MESSAGE)
    assert outcome.reply == b"451 4.7.1 Come later"


def test_nothing_is_edited_where_a_message_is_refused() -> None:
    outcome = send("add X-New 1\nreject From *\n", MESSAGE)
    assert (outcome.accepted, outcome.message.count(b"X-New")) == (False, 0)


@pytest.mark.parametrize("version", ["6.8.0", "7.6.0", "7.9.0"])
def test_junk(version: str) -> None:
    outcome = send("junk From *@spam.example*\njunk Subject *\n", MESSAGE, version=version)
    assert outcome.accepted
    assert outcome.message == b"X-Spam: Yes\n" + outcome.received + MESSAGE
    assert outcome.log == (f"{NEW_SESSION}headers-junk line=1",)


def test_edits() -> None:
    rules = 'remove Received\nreplace Subject *now "[spam] buy"\nadd X-Checked "by us"\n'
    outcome = send(rules, MESSAGE)
    assert outcome.message == (
        b"X-Checked: by us\n" + outcome.received + b"From: Bob <bob@spam.example>\n"
        b"Subject: [spam] buy\nUser-Agent: x\n\nSubject: in the body\n..dots\n"
    )
    assert outcome.log == ()


def test_a_mark_stands_above_what_is_added() -> None:
    outcome = send("junk From *\nadd X-New 1\nremove X-Spam\n", b"X-Spam: No\n\nhello\n")
    assert outcome.message == b"X-New: 1\n" + outcome.received + b"\nhello\n"
    outcome = send("junk From *\nadd X-New 1\nremove X-Spam\n", b"X-Spam: No\n" + MESSAGE)
    assert outcome.message == b"X-Spam: Yes\nX-New: 1\n" + outcome.received + MESSAGE


def test_too_much_work() -> None:
    outcome = send("reject * /b{3}/\n" * 1000, b"A: b\n" * 8000 + b"\nhello\n")
    assert (outcome.accepted, outcome.reply) == (False, b"552 5.3.4 Message header too long")
    [line] = outcome.log
    assert line.startswith(f"{NEW_SESSION}headers-too-long line=")


def test_a_header_of_100_000_fields_is_the_cores_business() -> None:
    """It takes more than 4 MiB, as the core counts it: the rules never see it."""
    outcome = send("junk A *\n", b"A: b\n" * 100_000 + b"\nhello\n")
    assert (outcome.accepted, outcome.reply[:3]) == (False, b"550")


@pytest.mark.parametrize("message", [b"", b"\n", b"\nhello\n", b"hello\n", b" hello\n", b":\n"])
def test_no_header(message: bytes) -> None:
    outcome = send("remove *\nreplace * * x\nadd X-New 1\nreject * *\njunk * *\n", message)
    assert outcome.reply == REFUSED  # for X-New
    outcome = send("remove *\nreject * *\nadd X-New 1\nprivacy\n", message)
    assert outcome.message == b"X-New: 1\n" + outcome.received + message


# --- whose mail is ours ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "ours"),
    [
        ({}, False),
        ({"username": b"bob"}, True),
        ({"tls": True}, False),
        ({"source": b"127.0.0.1:4711"}, True),
        ({"source": b"[::1]:4711"}, True),
        ({"source": b"unix:/var/run/smtpd.sock", "rdns": b"localhost"}, True),
        ({"source": b"192.0.2.1:4711"}, True),  # the listener's own address
        ({"source": b"192.0.2.2:4711"}, False),
        ({"source": b"10.0.0.1:4711"}, False),
        ({"rdns": b"localhost", "fcrdns": "pass"}, False),
        ({"helo": b"localhost"}, False),
    ],
)
def test_privacy(client: dict[str, object], ours: bool) -> None:
    outcome = send("privacy", MESSAGE, **client)
    assert outcome.accepted
    if not ours:
        assert outcome.message == outcome.received + MESSAGE
        return
    assert outcome.received.startswith(b"Received: from ")
    kept = MESSAGE.replace(b"Received: from laptop\n\tby relay.example\n", b"")
    cut = b"Received: " + outcome.received.partition(b"\n\t")[2]
    assert outcome.message == cut + kept.replace(b"User-Agent: x\n", b"")


# --- reload and options ---------------------------------------------------------------------------


def test_reload(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_text("reject From * one\n")
    filter = Headers(parser().parse_args([str(path)]))
    path.write_text("reject From * two\n")
    swap = filter.reload().function()
    assert run_message(filter, MESSAGE).reply == b"550 one"
    swap()
    assert run_message(filter, MESSAGE).reply == b"550 two"


@pytest.mark.parametrize("text", ["reject From", "", None])
def test_a_reload_of_bad_rules_keeps_the_old(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "rules"
    path.write_text("reject From * one\n")
    filter = Headers(parser().parse_args([str(path)]))
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError):
        filter.reload().function()
    assert run_message(filter, MESSAGE).reply == b"550 one"


def test_a_message_keeps_the_rules_that_it_began_with(tmp_path: Path) -> None:
    """What a SIGHUP changes counts for the next one."""
    filter = make("reject From * one")
    handler = filter.on_message
    rules = filter.rules

    def reloaded(session: object) -> object:
        mail = handler(session)  # type: ignore[arg-type]
        filter.rules = make("reject From * two").rules
        return mail

    filter.on_message = reloaded  # type: ignore[assignment,method-assign]
    assert run_message(filter, MESSAGE).reply == b"550 one"
    assert filter.rules is not rules


def test_it_needs_no_more_than_it_uses() -> None:
    assert Headers.uses == ("rdns", "fcrdns", "source", "destination", "username")
    filter = make("privacy")
    assert filter.needs == Needs(reads=(filter.path,))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: FILE"),
        (["a", "b"], "unrecognized arguments: b"),
        (["--rules", "a"], "there is no option --rules"),
    ],
)
def test_mistakes_are_told(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        parser().parse_args(words)
    assert raised.value.code != 0
    assert message in capsys.readouterr().err


def test_bad_rules_end_it_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_text("privacy\nrejct Subject /x/\n")
    with Program(str(path)) as child:
        status, _, log = child.end()
    assert status != 0
    assert log.splitlines()[-1].endswith(
        f"{path}:2: 'rejct' is no action: did you mean reject?; see RULES in filter-headers(8)"
    )


@pytest.mark.parametrize(("text", "status"), [("privacy\n", 0), ("privacy on\n", 1)])
def test_rules_are_checked_without_smtpd(tmp_path: Path, text: str, status: int) -> None:
    path = tmp_path / "rules"
    path.write_text(text)
    with Program("-n", str(path)) as child:
        assert bool(child.end()[0]) is bool(status)


class Program(Child):
    """The program as smtpd's child."""

    def __init__(self, *argv: str) -> None:
        self._begin([sys.executable, "-m", "opensmtpd_filters.headers", *argv])
