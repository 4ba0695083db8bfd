"""The options of filter-greylist: times, and the files of those who are spared."""

import argparse
from pathlib import Path

import pytest

from opensmtpd.errors import ConfigError
from opensmtpd.mail.greylist import options
from unit.support.mail_client import client


def flags(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser("filter-x")
    options.add(parser)
    return parser.parse_args(words)


# --- how long to wait -----------------------------------------------------------------------------


def test_what_holds_without_options() -> None:
    """The times are those of the filter in Go."""
    found = flags()
    assert (found.passtime, found.greyexp, found.whiteexp) == (300.0, 14400.0, 2592000.0)
    assert found.auto_white == 1
    assert options.files(found) == ()
    options.check(found)


@pytest.mark.parametrize(
    "line",
    [
        "-passtime 60 -greyexp 3600 -whiteexp 86400",
        "-passtime=60 -greyexp=3600 -whiteexp=86400",
        "--passtime 60 --greyexp 3600 --whiteexp 86400",
        "--passtime=60 --greyexp=3600 --whiteexp=86400",
    ],
)
def test_the_times_of_the_filter_in_go(line: str) -> None:
    found = flags(*line.split())
    assert (found.passtime, found.greyexp, found.whiteexp) == (60.0, 3600.0, 86400.0)


@pytest.mark.parametrize("name", ["passtime", "greyexp", "whiteexp"])
@pytest.mark.parametrize("value", ["0", "-1", "5m", "", "nan", "inf", "1e9"])
def test_what_is_no_time(name: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        flags(f"-{name}={value}")
    fault = f"{value!r} is not a number of seconds above 0"
    assert f"argument -{name}/--{name}: {fault}" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["-passtime 300 -greyexp 300", "-passtime 14401"])
def test_an_attempt_that_would_be_forgotten_before_it_may_pass(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        options.check(flags(*line.split()))
    assert str(caught.value) == (
        "-passtime is not below -greyexp;"
        " an attempt is to be repeated between the two: make -greyexp longer"
    )


@pytest.mark.parametrize("name", ["passtime", "greyexp", "whiteexp"])
def test_a_time_that_no_state_keeps(name: str) -> None:
    options.check(flags("-greyexp=34560000", "-whiteexp=34560000"))
    with pytest.raises(ConfigError) as caught:
        options.check(flags(f"-{name}=34560001"))
    assert str(caught.value) == (f"-{name} is too long; 34560000, 400 days, is the longest time")


@pytest.mark.parametrize(("text", "count"), [("0", 0), ("1", 1), ("5", 5), ("999999", 999999)])
def test_how_often_makes_white(text: str, count: int) -> None:
    assert flags("--auto-white", text).auto_white == count


@pytest.mark.parametrize("text", ["-1", "+1", "1.5", "", "1000000", "\u0661"])
def test_what_is_no_count(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        flags(f"--auto-white={text}")
    fault = f"argument --auto-white: {text!r} is not a number from 0 on"
    assert fault in capsys.readouterr().err


# --- whom to spare --------------------------------------------------------------------------------


@pytest.fixture
def lists(tmp_path: Path) -> dict[str, str]:
    """A file for each option, and one more with clients."""
    rows = {
        "wl-ip": "198.51.100.0/24\n2001:db8:1::/48\n# ours\n*.friend.example\n",
        "more": "203.0.113.9\n",
        "wl-domain": "# senders\nExample.ORG\n*.example.net\n",
        "whitelist-clients": "192.168.1\ndebian.org\n",
        "whitelist-recipients": "postmaster@\n",
    }
    for name, text in rows.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in rows}


def all_of(lists: dict[str, str]) -> argparse.Namespace:
    return flags(
        *("-wl-ip", lists["wl-ip"], "--wl-ip", lists["more"]),
        f"-wl-domain={lists['wl-domain']}",
        f"--whitelist-clients={lists['whitelist-clients']}",
        *("--whitelist-recipients", lists["whitelist-recipients"]),
    )


def test_the_files_that_are_read(lists: dict[str, str]) -> None:
    names = ("wl-ip", "more", "wl-domain", "whitelist-clients", "whitelist-recipients")
    assert options.files(all_of(lists)) == tuple(lists[name] for name in names)


@pytest.mark.parametrize(
    ("address", "name", "verdict", "sender", "spared"),
    [
        ("192.0.2.5", None, "fail", b"bob@remote.example", False),
        # By -wl-ip.
        ("198.51.100.7", None, "error", b"bob@remote.example", True),
        ("203.0.113.9", None, "fail", b"", True),
        ("203.0.113.10", None, "fail", b"", False),
        ("2001:db8:1::5", None, "fail", None, True),
        ("192.0.2.5", "mx.friend.example", "pass", b"", True),
        ("192.0.2.5", "mx.friend.example", "fail", b"", False),
        # By -wl-domain, which needs no name and no SPF.
        ("192.0.2.5", None, "fail", b"bob@example.org", True),
        ("192.0.2.5", None, "fail", b"bob@EXAMPLE.org.", True),
        ("192.0.2.5", None, "fail", b"bob@a.example.net", True),
        ("192.0.2.5", None, "fail", b"bob@example.net", False),
        ("192.0.2.5", None, "fail", b"bob@x.example.org", False),
        ("192.0.2.5", None, "fail", b"example.org", False),
        ("192.0.2.5", None, "fail", b"example.org@remote.example", False),
        # By a list of postgrey.
        ("192.168.1.7", None, "fail", b"bob@remote.example", True),
        ("192.0.2.5", "mx.debian.org", "pass", b"", True),
        ("192.0.2.5", "mx.debian.org", "fail", b"", False),
    ],
)
def test_who_is_spared(
    lists: dict[str, str],
    address: str,
    name: str | None,
    verdict: str,
    sender: bytes | None,
    spared: bool,
) -> None:
    found = options.spared(all_of(lists))
    assert found.has(client(address, name, verdict)._replace(sender=sender)) is spared


def test_recipients_who_are_spared(lists: dict[str, str]) -> None:
    found = options.spared(all_of(lists))
    assert b"postmaster@example.com" in found.recipients
    assert b"alice@example.com" not in found.recipients


def test_without_files_nobody_is_spared() -> None:
    found = options.spared(flags())
    assert not found.has(client("192.0.2.5", "mx.debian.org", sender=b"bob@example.org"))
    assert b"postmaster@example.com" not in found.recipients


@pytest.mark.parametrize("row", ["bob@example.org", "two words", "@"])
def test_a_row_that_is_no_domain(tmp_path: Path, row: str) -> None:
    path = tmp_path / "list"
    path.write_text(f"example.net\n{row}\n")
    with pytest.raises(ConfigError) as caught:
        options.spared(flags(f"-wl-domain={path}"))
    remedy = "write a domain, example.org or *.example.org"
    assert str(caught.value) == f"{path}:2: {row!r} is no domain; {remedy}"


@pytest.mark.parametrize(
    "name", ["wl-ip", "wl-domain", "whitelist-clients", "whitelist-recipients"]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path}/missing: "):
        options.spared(flags(f"--{name}={tmp_path}/missing"))
