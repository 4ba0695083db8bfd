"""filter-greylist as a program: its lists, its command line, and its workers."""

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.peers.nameserver import NameServer
from opensmtpd.backends.state import options as state_options
from opensmtpd.dns.resolver import resolver
from opensmtpd.dns.resolver.resolver import Resolver
from opensmtpd.errors import ConfigError
from opensmtpd.testing import Outcome, run_message
from opensmtpd_filters.greylist import Greylist, parser
from unit.support.dns_lab import port
from unit.support.greylisted import HERE, Greylisted, Visit
from unit.support.processes import CHECKED, PATIENCE
from unit.support.talk import Talk

NEW = b"451 4.7.1 Greylisted, please try again in 300 seconds"
OK = b"250 2.1.5 Destination address valid: Recipient ok"
MAIL = b"MAIL FROM:<bob@remote.example>"
RCPT = b"RCPT TO:<alice@example.com>"


def test_what_is_registered() -> None:
    registered = Talk(Greylisted().filter).registered.split(b"\n")
    assert sorted(line.rpartition(b"|")[2] for line in registered) == [
        *(b"", b"commit", b"data", b"data-line", b"link-auth", b"link-connect"),
        *(b"link-disconnect", b"link-identify", b"rcpt-to", b"ready"),
        *(b"tx-mail", b"tx-rcpt", b"tx-reset"),
    ]


def test_the_lists_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("198.51.100.0/24\n")
    around = Greylisted(f"-wl-ip {path}")
    assert not around.passes()
    path.write_text("192.0.2.0/24\n")
    assert not around.passes()
    swap = around.filter.reload().function()
    assert not around.passes()
    swap()
    assert around.passes()
    assert around.dns.reread == 1
    assert not around.passes(source=b"198.51.100.5:1")


def test_a_list_that_cannot_be_read_again_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("192.0.2.0/24\n")
    around = Greylisted(f"-wl-ip {path}")
    path.write_text("nonsense/33\n")
    with pytest.raises(ConfigError, match="nonsense/33"):
        around.filter.reload().function()
    assert around.passes()
    assert around.dns.reread == 0


def test_a_list_that_is_read_again_amid_a_session(tmp_path: Path) -> None:
    """It holds from the next transaction on, and for recipients at once."""
    path = tmp_path / "list"
    path.write_text("")
    around = Greylisted(f"-wl-domain {path} --whitelist-recipients {path}")
    visit = Visit(around)
    assert visit.say(MAIL, RCPT) == NEW
    path.write_text("remote.example\n")
    around.filter.reload().function()()
    assert visit.say(RCPT) == NEW
    assert visit.say(b"RCPT TO:<x@remote.example>") == OK
    assert visit.say(b"RSET", MAIL, RCPT) == OK


def test_the_filter_ends() -> None:
    around = Greylisted()
    around.filter.stop()
    assert (around.dns.saved, around.store.closed) == (1, True)


def test_the_files_that_are_needed(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in "abcd"]
    for path in paths:
        Path(path).write_text("")
    names = ("wl-ip", "wl-domain", "whitelist-clients", "whitelist-recipients")
    line = " ".join(f"--{name} {path}" for name, path in zip(names, paths, strict=True))
    needs = Greylisted(line).filter.needs
    assert needs is not None
    assert needs.reads == tuple(paths)


# --- its processes --------------------------------------------------------------------------------


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An option for a name server. The state has time, on a machine that does other work."""
    monkeypatch.setattr(resolver, "Resolver", Resolver)
    for name in ("memory_state", "file_state"):
        made = getattr(state_options, name)
        monkeypatch.setattr(state_options, name, partial(made, deadline=PATIENCE))
    address = ("127.0.0.1", port())
    with NameServer({("remote.example", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"']}, address):
        yield f"--nameserver {address[0]}:{address[1]}"


def made(line: str) -> Greylist:
    return Greylist(parser().parse_args(line.split()))


def again(filter: Greylist, **client: Any) -> Outcome:
    """Send a message until it passes."""
    end = time.monotonic() + PATIENCE
    while not (outcome := run_message(filter, **client)).accepted:
        assert outcome.reply.startswith(b"451 4.7.1 Greylisted, ")
        assert time.monotonic() < end
        time.sleep(0.1)
    return outcome


@pytest.mark.parametrize("client", [{}, {"sender": b""}, {"sender": b"carol@nospf.example"}])
def test_with_its_workers(nameserver: str, client: dict[str, Any]) -> None:
    filter = made(f"-passtime 1 --dns-deadline 20 {nameserver}")
    [defers] = run_message(filter, **client).log
    assert ("client=spf:remote.example " in defers) is (client == {})
    outcome = again(filter, **client)
    assert outcome.message.startswith(b"X-Greylist: delayed ")
    assert run_message(filter, **client).message.startswith(b"Received: ")
    filter.stop()


def test_a_state_in_a_file_outlives_the_program(nameserver: str, tmp_path: Path) -> None:
    line = f"--state {tmp_path / 'state.db'} -passtime 1 --dns-deadline 20 {nameserver}"
    client: dict[str, Any] = {"sender": b"carol@nospf.example"}
    first = made(line)
    assert not run_message(first, **client).accepted
    first.stop()
    second = made(line)
    outcome = again(second, **client)
    assert outcome.message.startswith(b"X-Greylist: delayed ")
    assert f"greylist-pass client={HERE} delay=" in outcome.log[-1]
    second.stop()
    third = made(line)
    assert run_message(third, sender=b"erin@nospf.example").message.startswith(b"Received: ")
    third.stop()


# --- its command line -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("-passtime 14400", "-passtime is not below -greyexp"),
        ("-whiteexp 40000000", "-whiteexp is too long"),
        ("--dns-deadline 60", "--dns-deadline is not below --deadline"),
        ("--state state.db", "--state names no file, and no server"),
        ("--state /nowhere/state.db", "/nowhere: no folder for the state"),
        ("-wl-ip /nowhere/list", "/nowhere/list: cannot read it: No such file or directory"),
    ],
)
def test_a_command_line_that_cannot_be(line: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(line)
    assert str(caught.value).startswith(fault)


def check(*words: str) -> tuple[int, str]:
    """Return the status of a check of the configuration, and what is said."""
    program = "from opensmtpd_filters.greylist import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "-n", *words],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_check_makes_no_file(tmp_path: Path) -> None:
    status, said = check("--state", str(tmp_path / "state.db"), "-passtime", "60")
    assert (status, said.partition(": ")[2]) == (0, f"{CHECKED}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_check_finds_a_row(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("/(?=a)/\n")
    status, said = check("--whitelist-clients", str(tmp_path / "list"))
    assert status == 1
    assert f"{tmp_path}/list:1: '/(?=a)/': (? has no meaning here; write it without" in said
    assert said.count("\n") == 1
