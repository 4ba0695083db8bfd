"""The options of filters that ask the DNS, and what is found wrong with them at start."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opensmtpd.dns import Failed, Question, RecordType, options
from opensmtpd.dns.resolver import channel
from opensmtpd.dns.resolver.resolver import Resolver
from opensmtpd.dns.servers import ServerAddress
from opensmtpd.errors import ConfigError


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="filter-x")
    options.add(parser)
    return parser.parse_args(flags)


def test_without_options() -> None:
    flags = parse()
    assert (flags.nameserver, flags.dns_deadline, flags.dns_cache) == ([], 5.0, None)
    assert isinstance(options.resolver(flags), Resolver)


def test_name_servers() -> None:
    flags = parse("--nameserver", "192.0.2.1", "--nameserver", "[2001:db8::1]:53")
    assert flags.nameserver == [ServerAddress("192.0.2.1"), ServerAddress("2001:db8::1")]
    assert isinstance(options.resolver(flags), Resolver)


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


@pytest.mark.parametrize("new", [True, False])
def test_ports_that_differ_need_aiodns_4(monkeypatch: pytest.MonkeyPatch, new: bool) -> None:
    monkeypatch.setattr(channel, "NEW", new)
    flags = parse("--nameserver", "192.0.2.1", "--nameserver", "192.0.2.1:5353")
    if new:
        assert isinstance(options.resolver(flags), Resolver)
        return
    with pytest.raises(ConfigError) as caught:
        options.resolver(flags)
    assert str(caught.value) == (
        "aiodns 3 cannot ask name servers on different ports; "
        "use one port for all name servers, or aiodns 4"
    )


# --- what is not installed ------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["aiodns", "msgpack"])
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # how Python spells "not there"
    monkeypatch.delitem(sys.modules, "opensmtpd.dns.resolver.channel")
    with pytest.raises(ConfigError) as caught:
        options.resolver(parse("--dns-cache", str(tmp_path / "cache")))
    assert str(caught.value) == (
        f"asking the DNS needs {module}; pip install 'opensmtpd-plugins[dns]'"
    )


@pytest.mark.parametrize("needed", [True, False])
def test_only_who_asks_needs_it(needed: bool) -> None:
    program = (
        "import argparse, sys\n"
        "from opensmtpd.dns import options\n"
        "parser = argparse.ArgumentParser()\n"
        "options.add(parser)\n"
        f"options.resolver(parser.parse_args([]), needed={needed})\n"
        "print([each in sys.modules for each in ('aiodns', 'asyncio', 'msgpack')])\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert said == (b"[True, True, False]\n" if needed else b"[False, False, False]\n")


def test_who_asks_nothing_gets_no_reply_of_the_dns() -> None:
    dns = options.resolver(parse(), needed=False)
    question = Question("example.org", RecordType.A)
    assert dns.known([question, question]) == [Failed("this filter asks nothing", ours=True)] * 2
    dns.reread_servers()
    dns.save()


# --- the cache's folder ---------------------------------------------------------------------------


def test_a_folder_for_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (str(tmp_path / "cache"), "cache"):
        assert isinstance(options.resolver(parse("--dns-cache", path)), Resolver)
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
