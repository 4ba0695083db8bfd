"""filter-senderscore: who is blocked and who is junked, and what its options are."""

from pathlib import Path

import pytest

from opensmtpd.dns import Absent, Failed, Found, Reply
from opensmtpd.errors import ConfigError
from opensmtpd.testing import Zone, run_message
from opensmtpd_filters.senderscore import SenderScore, parser
from unit.support.child import Child
from unit.support.senderscore_client import (
    BLOCKED,
    MESSAGE,
    NEW_SESSION,
    QUESTION,
    front,
    make,
    send,
)
from unit.support.talk import report, request, result

NONE = (Absent(nxdomain=True), Absent(), Failed("timeout"), Found(("127.255.255.255",)))
PROCEED = result(b"proceed")


def link(source: bytes = b"192.0.2.5:4711") -> bytes:
    return report(b"link-connect", b"client.example", b"pass", source, b"192.168.0.1:25")


CONNECT = request(b"connect", b"client.example|192.0.2.5")


# --- whose score is low ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "score", "decision"),
    [
        ("", 0, b"proceed"),
        ("-blockBelow 10", 9, b"disconnect|" + BLOCKED),
        ("--blockBelow=10", 0, b"disconnect|" + BLOCKED),
        ("-blockBelow 10", 10, b"proceed"),
        ("-blockBelow 0", 0, b"proceed"),
        ("-blockBelow -1", 0, b"proceed"),
        ("-blockBelow 101", 100, b"disconnect|" + BLOCKED),
        ("-junkBelow 70", 69, b"junk"),
        ("--junkBelow 70", 0, b"junk"),
        ("-junkBelow=70", 70, b"proceed"),
        ("-junkBelow -1", 0, b"proceed"),
        ("-blockBelow 10 -junkBelow 70", 9, b"disconnect|" + BLOCKED),
        ("-blockBelow 10 -junkBelow 70", 10, b"junk"),
        ("-blockBelow 70 -junkBelow 10", 9, b"disconnect|" + BLOCKED),
        ("-blockBelow 10 -blockPhase quit -junkBelow 70", 9, b"junk"),
    ],
)
@pytest.mark.parametrize("cached", [True, False])
def test_decisions_at_connect(line: str, score: int, decision: bytes, cached: bool) -> None:
    outcome = run_message(make(line, score, cached=cached), MESSAGE)
    assert outcome.decisions[0] == ("connect", decision)
    assert outcome.accepted is not decision.startswith(b"disconnect")
    assert outcome.junk is (decision == b"junk")


@pytest.mark.parametrize("reply", NONE)
def test_who_has_no_score_comes_through(reply: Reply) -> None:
    outcome = send("-blockBelow 100 -junkBelow 100 -slowFactor 40000 -scoreHeader", reply)
    assert (outcome.accepted, outcome.junk, front(outcome)) == (True, False, b"")


@pytest.mark.parametrize(
    "source", [b"[2001:db8::5]:4711", b"unix:/var/run/smtpd.sock", b"local", b"", b"999.0.2.5:1"]
)
def test_who_has_no_ipv4_address_is_not_asked_for(source: bytes) -> None:
    filter = make("-blockBelow 101 -scoreHeader", 5)
    outcome = run_message(filter, MESSAGE, source=source)
    assert (outcome.accepted, front(outcome)) == (True, b"")
    assert isinstance(filter.dns, Zone)
    assert filter.dns.asked == []


def test_an_ipv4_address_that_a_proxy_mapped() -> None:
    assert send("-blockBelow 10", 5, source=b"[::ffff:192.0.2.5]:4711").reply == BLOCKED


def test_the_dns_is_asked_once_and_within_its_time() -> None:
    filter = make("-slowFactor 1 -scoreHeader --dns-deadline 7", 99, cached=False)
    assert run_message(filter, MESSAGE).accepted
    assert isinstance(filter.dns, Zone)
    assert (filter.dns.asked, len(filter.dns.until)) == ([QUESTION], 1)


# --- the log --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("-blockBelow 10", ["senderscore-block score=5 phase=connect"]),
        ("-junkBelow 10", ["senderscore-junk score=5"]),
        (
            "-junkBelow 10 -blockBelow 10 -blockPhase rcpt-to",
            ["senderscore-junk score=5", "senderscore-block score=5 phase=rcpt-to"],
        ),
        ("-scoreHeader", []),
    ],
)
def test_what_is_logged(line: str, lines: list[str]) -> None:
    assert list(send(line, 5).log) == [NEW_SESSION + each for each in lines]


# --- lists of ours, and options -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "score"),
    [
        ("192.0.2.5\n", 100),
        ("192.0.2.77/24\n", 100),
        ("# ours\n\n  192.0.2.5  # the office\n", 100),
        ("*.example\n", 100),  # the client's name is client.example
        ("*.other.example\n", 5),
        ("192.0.2.6\n2001:db8::/32\n", 5),
        ("", 5),
    ],
)
def test_who_is_on_a_list(tmp_path: Path, rows: str, score: int) -> None:
    file = tmp_path / "allowed"
    file.write_text(rows)
    for line in (f"-allowlist {file}", f"--allowlist=/dev/null --allowlist={file} -testMode"):
        assert front(send(f"{line} -scoreHeader", 5)) == b"X-SenderScore: %d\n" % score


def test_a_name_that_is_not_confirmed_is_on_no_list(tmp_path: Path) -> None:
    file = tmp_path / "allowed"
    file.write_text("client.example\n")
    assert send(f"-allowlist {file} -blockBelow 10", 5, fcrdns="fail").reply == BLOCKED
    assert send(f"-allowlist {file} -blockBelow 10", 5).accepted


def test_the_list_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "allowed"
    file.write_text("192.0.2.0/24\n")
    filter = make(f"-blockBelow 10 -allowlist {file}", 5)
    assert run_message(filter).accepted
    file.write_text("198.51.100.0/24\n")
    filter.reload().function()()
    assert run_message(filter).reply == BLOCKED
    file.write_text("192.0.2.0/33\n")
    with pytest.raises(ConfigError, match=r":1: '192\.0\.2\.0/33' is none of these"):
        filter.reload().function()
    assert run_message(filter).reply == BLOCKED
    assert isinstance(filter.dns, Zone)
    assert filter.dns.reread == 1


def test_a_list_that_hangs_at_a_reload_keeps_no_client_waiting(tmp_path: Path) -> None:
    file = tmp_path / "allowed"
    file.write_text("192.0.2.0/24\n")
    source = f"""
from opensmtpd.mail.policy import exemptions
from opensmtpd_filters.senderscore import SenderScore, parser
def filter():
    made = SenderScore(parser().parse_args(["-testMode", "-allowlist", {str(file)!r}]))
    exemptions.lines = lambda path: (log("hangs"), time.sleep(3600))
    return made
"""
    main = 'run.filter(lambda _: filter(), filter_parser("x", "x"), ["--deadline", "600"])'
    with Child(tmp_path, source, main=main) as child:
        child.hello()
        child.hang_up()
        assert child.log() == "hangs"
        child.send(link(), CONNECT)
        assert child.lines() == [PROCEED]


@pytest.mark.parametrize(
    ("last", "score"), [(0, 0), (9, 9), (100, 100), (101, 100), (254, 100), (255, None)]
)
def test_scores_of_the_test_mode(last: int, score: int | None) -> None:
    filter = SenderScore(parser().parse_args(["-testMode", "-scoreHeader"]))
    outcome = run_message(filter, MESSAGE, source=b"192.0.2.%d:4711" % last)
    assert front(outcome) == (b"" if score is None else b"X-SenderScore: %d\n" % score)


def test_the_cache_of_the_dns_is_saved_at_the_end() -> None:
    filter = make("")
    filter.stop()
    assert isinstance(filter.dns, Zone)
    assert filter.dns.saved == 1


@pytest.mark.parametrize("phase", ["data", "commit", "rset", "Connect", ""])
def test_a_phase_where_nobody_is_blocked(phase: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(["-blockPhase", phase])
    assert caught.value.code == 2
    assert "argument -blockPhase/--blockPhase: invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["-blockBelow", "-junkBelow", "-slowFactor"])
@pytest.mark.parametrize("value", ["", "ten", "0.5", "0x10"])
def test_a_score_is_a_number(word: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args([word, value])
    assert f"argument {word}/-{word}: invalid int value: {value!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("-slowFactor 49500", True),
        ("-slowFactor 49501", False),
        ("-slowFactor 49501 --deadline 61", True),
        ("-slowFactor 211500 --deadline 300", True),  # 240: smtpd waits no longer
        ("-slowFactor 211501 --deadline 300", False),
        ("-slowFactor 100 --deadline 5", False),
        ("-slowFactor 900 --deadline 2 --dns-deadline 1", True),
        ("-slowFactor 901 --deadline 2 --dns-deadline 1", False),
        ("--dns-deadline 60", False),
        ("-allowlist /nonexistent", False),
    ],
)
def test_options_that_do_not_fit(line: str, fits: bool) -> None:
    flags = parser().parse_args(line.split())
    if fits:
        SenderScore(flags)
        return
    with pytest.raises(ConfigError):
        SenderScore(flags)
