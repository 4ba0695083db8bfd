"""The options of filters that ask the DNS, and what is found wrong with them at start."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opensmtpd.backends.state import state
from opensmtpd.dns import Failed, Question, RecordType, options
from opensmtpd.dns.resolver import resolver
from opensmtpd.dns.resolver.shared import SharedReplies
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="filter-x")
    options.add(parser)
    return parser.parse_args(flags)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The arguments of each resolver that is made: none starts a process here."""
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(resolver, "Resolver", lambda *each: calls.append(each))
    return calls


def test_without_options(made: list[tuple[object, ...]]) -> None:
    flags = parse()
    assert (flags.nameserver, flags.dns_deadline, flags.dns_cache) == ([], 5.0, None)
    options.resolver(flags)
    assert made == [([], None, 2.0, None)]


def test_name_servers(made: list[tuple[object, ...]]) -> None:
    flags = parse("--nameserver", "192.0.2.1", "--nameserver", "[2001:db8::1]:53")
    assert flags.nameserver == [ServerAddress("192.0.2.1"), ServerAddress("2001:db8::1")]
    options.resolver(flags)
    assert made == [(flags.nameserver, None, 2.0, None)]


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--nameserver", "ns.example.org", "'ns.example.org' is no name server; write 192.0.2.1,"),
        ("--dns-deadline", "0", "'0' is not a number of seconds above 0"),
        ("--dns-deadline", "nan", "'nan' is not a number of seconds above 0"),
    ],
)
def test_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str], flag: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(flag, value)
    assert caught.value.code == 2
    assert f"argument {flag}: {said}" in capsys.readouterr().err


def test_replies_are_shared_where_there_is_a_url(
    made: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(state, "server_state", lambda url, **more: asked.append((url, more)))
    options.resolver(parse("--dns-cache-url", "redis://valkey/1"))
    assert asked == [("redis://valkey/1", {"prefix": "opensmtpd-dns:", "deadline": 0.5})]
    [(_, _, _, shared)] = made
    assert isinstance(shared, SharedReplies)


def test_a_url_that_cannot_be_used_is_told_at_the_start() -> None:
    with pytest.raises(ConfigError, match="password_file=/path"):
        options.resolver(parse("--dns-cache-url", "redis://u:p@valkey"))


# --- what is not installed ------------------------------------------------------------------------


@pytest.mark.parametrize("needed", [True, False])
def test_only_who_asks_needs_it(needed: bool) -> None:
    """And then a process of its own loads it."""
    program = (
        "import argparse, sys\n"
        "from opensmtpd.dns import options\n"
        "parser = argparse.ArgumentParser()\n"
        "options.add(parser)\n"
        f"options.resolver(parser.parse_args([]), needed={needed})\n"
        "print([each in sys.modules for each in ('aiodns', 'asyncio', 'msgpack')])\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert said == (b"[False, False, True]\n" if needed else b"[False, False, False]\n")


def test_who_asks_nothing_gets_no_reply_of_the_dns() -> None:
    dns = options.resolver(parse(), needed=False)
    question = Question("example.org", RecordType.A)
    assert dns.known([question, question]) == [Failed("this filter asks nothing", ours=True)] * 2
    dns.start([question])
    dns.reread_servers()
    dns.save()


# --- the cache's folder ---------------------------------------------------------------------------


def test_a_folder_for_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[tuple[object, ...]]
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [str(tmp_path / "cache"), "cache"]
    for path in paths:
        options.resolver(parse("--dns-cache", path))
    assert made == [([], path, 2.0, None) for path in paths]
    assert os.listdir(tmp_path) == []  # nothing is written before there is something to keep


def test_no_folder_for_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(ConfigError) as caught:
            options.resolver(parse("--dns-cache", f"{folder}/cache"))
        assert str(caught.value) == (
            f"{folder}: no folder for the DNS cache; "
            "make it a folder that the filter's user may write to"
        )


def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not chmod: the tests' user may be root.
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    with pytest.raises(ConfigError, match="no folder for the DNS cache"):
        options.resolver(parse("--dns-cache", str(tmp_path / "cache")))
