"""filter-senderscore on a real smtpd: whom it blocks, junks and delays, and what messages say."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from integration.support.dns_scenes import Chains, Fate, knock, listen, ours, port, visit
from integration.support.senderscore_scenes import (
    BAD,
    BEST,
    BLOCKED,
    BROKEN,
    DOUBTFUL,
    FAIR,
    HELLO,
    NEW,
    OLD,
    PLAIN,
    POOR,
    PROGRAM,
    SCORES,
    SENT,
    SIX,
    TLS,
    UNREGISTERED,
    WORST,
    Said,
    last,
    scored,
    talk,
)
from integration.support.told import until
from lab.peers import mail
from lab.peers.nameserver import NameServer
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, on_both

CLOSED, MUTE = "127.0.0.9", "127.0.0.8"
"""Addresses of a name server where nobody listens, and of one that never answers."""
BOTH = "-blockBelow 10 -junkBelow 70 -scoreHeader"
EACH = "-blockBelow 101 -junkBelow 101 -scoreHeader"
PHASES = {
    "connect": ("connect", PLAIN),
    "helo": (OLD[0], OLD),
    "ehlo": (HELLO, PLAIN),
    "starttls": ("STARTTLS", TLS),
    "auth": (TLS[3], TLS),
    "mail-from": (PLAIN[1], PLAIN),
    "rcpt-to": (PLAIN[2], PLAIN),
    "quit": ("QUIT", (HELLO, "QUIT")),
}
"""Of each phase of -blockPhase, what is refused there, and in which session."""
CHAINS: Chains = {
    "both": (ours(PROGRAM, BOTH),),
    "nothing": (ours(PROGRAM),),
    "allowed": (ours(PROGRAM, f"{BOTH} -allowlist /etc/mail/allowed"),),
    "slow": (ours(PROGRAM, "-slowFactor 150"),),
    "very slow": (ours(PROGRAM, "-slowFactor 1500"),),
    "test": (ours(PROGRAM, "-testMode -blockBelow 6 -junkBelow 7 -scoreHeader"),),
    "closed": (ours(PROGRAM, f"{EACH} --nameserver {CLOSED}"),),
    "mute": (ours(PROGRAM, f"{EACH} --nameserver {MUTE} --dns-deadline 1"),),
    "one of two": (ours(PROGRAM, f"{BOTH} --nameserver {CLOSED} --nameserver 127.0.0.1"),),
    **{phase: (ours(PROGRAM, f"-blockBelow 10 --blockPhase {phase}"),) for phase in PHASES},
}
ALLOWED = f"# who may\n\n{WORST} # a customer\n203.0.113.0/24\ngood.example.net\n"


def prepare(guide: Guide) -> None:
    """Have a listener for each chain."""
    (guide.view / "etc/mail/allowed").write_text(ALLOWED)
    listen(guide, CHAINS)


on_all, on_one = on_both("senderscore", prepare)


@pytest.fixture(autouse=True, scope="module")
def mute() -> Iterator[None]:
    with NameServer({}, (MUTE, 53)) as server:
        server.dead = True
        yield


@pytest.fixture(autouse=True)
def records(lab: Lab) -> None:
    """Know the scores of some clients."""
    lab.dns.records = {**lab.dns.records, **scored(SCORES)}


def come(lab: Lab, source: str, title: str, front: str = "") -> Fate:
    return visit(lab, source, port(CHAINS, title), front=front)


def logs(lab: Lab, words: str, times: int) -> bool:
    """Return whether something was logged so often."""
    return lab.log.count(words) >= times


# --- whose score is low ---------------------------------------------------------------------------


@on_all
@pytest.mark.parametrize(
    ("source", "place", "score"),
    [
        (WORST, BLOCKED, None),
        (BAD, BLOCKED, None),
        (POOR, ".Junk", 10),
        (DOUBTFUL, ".Junk", 69),
        (FAIR, "inbox", 70),
        (BEST, "inbox", 100),
        (NEW, "inbox", None),
        (UNREGISTERED, "inbox", None),
        (BROKEN, "inbox", None),
        (SIX, "inbox", None),
    ],
)
def test_clients(lab: Lab, source: str, place: str, score: int | None) -> None:
    found = come(lab, source, "both", front="x-senderscore: 100\r\n folded\r\n")
    assert found.place == place
    fields = [] if score is None else [b"X-SenderScore: %d" % score]
    assert found.fields(b"X-SenderScore") == fields
    assert found.fields(b"X-Spam") == ([b"X-Spam: Yes"] if place == ".Junk" else [])
    assert b" folded" not in found.message


@on_all
def test_what_is_logged(lab: Lab) -> None:
    """Of answers that are no scores, the first one in an hour."""
    before = len(lab.log)
    for source in (BAD, UNREGISTERED, UNREGISTERED, DOUBTFUL):
        come(lab, source, "allowed")
    until(lambda: " senderscore-junk " in lab.log[before:])
    assert re.findall(r"(?m)\bsenderscore-.*$", lab.log[before:]) == [
        "senderscore-block score=9 phase=connect",
        "senderscore-refused answer=127.255.255.255",
        "senderscore-junk score=69",
    ]


@on_one
def test_without_flags_nothing_is_done(lab: Lab) -> None:
    found = come(lab, WORST, "nothing", front="X-SenderScore: 100\r\n")
    assert found.place == "inbox"
    assert found.fields(b"X-SenderScore") == [b"X-SenderScore: 100"]


@on_all
def test_each_message_of_a_session_has_the_score(lab: Lab) -> None:
    said = talk(lab, DOUBTFUL, port(CHAINS, "both"), (HELLO, *SENT, "RSET", *SENT, "QUIT"))
    assert last(said).reply == "221 2.0.0 Bye"
    for each in lab.inbox.take(2):
        assert each.folder == ".Junk"
        assert each.message.startswith(b"X-SenderScore: 69\nX-Spam: Yes\nReceived: ")


# --- phases ---------------------------------------------------------------------------------------


@on_all
@pytest.mark.parametrize("phase", PHASES)
def test_phases(lab: Lab, phase: str) -> None:
    step, steps = PHASES[phase]
    said = talk(lab, BAD, port(CHAINS, phase), steps)
    done = steps[: steps.index(step) + 1] if step != "connect" else ()
    assert [each.step for each in said if each.step != "gone"] == ["connect", *done]
    assert last(said) == Said(step, BLOCKED)
    assert said[-1].step == ("gone" if phase not in ("connect", "quit") else step)
    assert last(talk(lab, POOR, port(CHAINS, phase), (HELLO, "QUIT"))).reply == "221 2.0.0 Bye"


@on_one
def test_who_does_without_a_phase_is_not_blocked(lab: Lab) -> None:
    assert come(lab, BAD, "helo").place == "inbox"
    assert come(lab, BAD, "auth").place == "inbox"


# --- delays ---------------------------------------------------------------------------------------


def least(lab: Lab, source: str, steps: Sequence[str]) -> float:
    """Go through a session of the slow filter; return the seconds of the quickest answer."""
    seconds = []
    before = time.monotonic()
    with knock(source, port(CHAINS, "slow")) as client:
        seconds.append((time.monotonic() - before) / 2)  # the greeting, and EHLO
        for step in steps:
            before = time.monotonic()
            if step == ".":
                client.send(b"Subject: slow\r\n\r\n.\r\n")
                code, _ = client.getreply()
            else:
                code, _ = client.docmd(step)
            seconds.append(time.monotonic() - before)
            assert code < 400
    return min(seconds)


@on_all
def test_each_answer_takes_its_time(lab: Lab) -> None:
    assert least(lab, WORST, SENT) >= 0.149
    assert least(lab, DOUBTFUL, SENT) >= 0.045
    for each in lab.inbox.take(2):
        assert each.folder == "inbox"


@on_one
def test_a_client_that_does_not_wait(lab: Lab) -> None:
    """Others are served meanwhile, and when smtpd is answered for one that is gone."""
    number = port(CHAINS, "very slow")
    came, gone = f" connected address={WORST} ", " disconnected reason=disconnect\n"
    count = lab.log.count(came) + 1
    with socket.create_connection((SERVER4, number), 60, source_address=(WORST, 0)):
        until(partial(logs, lab, came, count))
    count = lab.log.count(gone) + 1
    assert visit(lab, BEST, number).place == "inbox"
    until(partial(logs, lab, gone, count))
    assert visit(lab, BEST, number).place == "inbox"


# --- a DNS that is no help ------------------------------------------------------------------------


@on_one
@pytest.mark.parametrize("title", ["closed", "mute"])
def test_mail_flows_without_a_name_server(lab: Lab, title: str) -> None:
    found = come(lab, WORST, title)
    assert (found.place, found.fields(b"X-SenderScore")) == ("inbox", [])


@on_one
def test_the_second_name_server_helps(lab: Lab) -> None:
    assert come(lab, WORST, "one of two").place == BLOCKED


# --- lists, and the test mode ---------------------------------------------------------------------


@on_all
def test_the_list_is_read_again(lab: Lab) -> None:
    file = lab.guide.view / "etc/mail/allowed"
    assert come(lab, WORST, "allowed").fields(b"X-SenderScore") == [b"X-SenderScore: 100"]
    assert come(lab, NEW, "allowed").fields(b"X-SenderScore") == [b"X-SenderScore: 100"]  # by name
    assert come(lab, BAD, "allowed").place == BLOCKED
    filters = [Path(f"/proc/{each}/cmdline") for each in lab.server.filters(PROGRAM)]
    (process,) = [int(each.parent.name) for each in filters if b"-allowlist" in each.read_bytes()]
    try:
        for text, place, event in (
            (f"{BAD}\n", "inbox", " reloaded\n"),
            ("192.0.2.0/33\n", "inbox", " reload-failed "),
            ("", BLOCKED, " reloaded\n"),
        ):
            told = lab.log.count(event) + 1
            file.write_text(text)
            os.kill(process, signal.SIGHUP)
            until(partial(logs, lab, event, told))
            assert come(lab, BAD, "allowed").place == place
    finally:
        file.write_text(ALLOWED)


@on_one
def test_the_test_mode(lab: Lab) -> None:
    """The last number of an address is its score: those of these clients are 5, 6 and 7."""
    lab.dns.asked.clear()
    places = [come(lab, source, "test").place for source in (WORST, BAD, NEW)]
    assert places == [BLOCKED, ".Junk", "inbox"]
    assert not [name for name, _ in lab.dns.asked if "senderscore" in name]


@on_all
def test_nothing_failed(lab: Lab) -> None:
    assert "handler-failed" not in lab.log
    with mail.connect(NEW, port(CHAINS, "both")) as client:
        assert mail.send(client, STRANGER, LOCAL, mail.compose(STRANGER, LOCAL, "x"))[0] == 250
    assert lab.inbox.one().folder == "inbox"
