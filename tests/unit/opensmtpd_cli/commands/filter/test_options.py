"""The options of ``filter``: the client that a filter is told of, and values that no client has."""

from pathlib import Path

import pytest

from opensmtpd_cli.commands.filter import options
from unit.support.small_filters import ECHO, program, run

pytestmark = pytest.mark.usefixtures("libexec", "patient")


TELL = """
hello("connect", "ehlo", "auth", "mail-from", "rcpt-to", reports=["link-connect", "link-auth"])
log = open({log!r}, "w")
for line in sys.stdin.buffer:
    fields = line.decode().rstrip("\\n").split("|")
    print(fields[4], *fields[7 if fields[0] == "filter" else 6:], file=log, flush=True)
    if fields[0] == "filter":
        answer(fields[5].encode(), fields[6].encode(), b"proceed")
"""


def told(libexec: Path, *argv: str) -> list[str]:
    program(libexec, TELL.format(log=str(libexec / "log")))
    assert run("filter-x", *argv).exit_code == 0
    return (libexec / "log").read_text().splitlines()


def test_the_usual_client(libexec: Path) -> None:
    assert told(libexec) == [
        "link-connect client.example pass 192.0.2.5:40721 192.0.2.1:25",
        "connect client.example 192.0.2.5",
        "ehlo client.example",
        "mail-from bob@remote.example",
        "rcpt-to alice@example.com",
    ]


def test_another_client(libexec: Path) -> None:
    assert told(
        libexec,
        *("--client", "[2001:DB8:0::5]:2525", "--rdns", "<unknown>", "--helo", "me"),
        *("--from", "<>", "--rcpt", "b@example.com", "--rcpt", "<c@example.com>"),
        *("--auth", "alice", "--smtpd-version", "7.6.0"),
    ) == [
        "link-connect <unknown> fail [2001:db8::5]:2525 192.0.2.1:25",
        "connect <unknown> [2001:db8::5]",
        "ehlo me",
        "ehlo me",
        "auth PLAIN AGFsaWNlAHNlY3JldA==",
        "link-auth pass alice",
        "mail-from ",
        "rcpt-to b@example.com",
        "rcpt-to c@example.com",
    ]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--client", "192.0.2.9"], "client.example pass 192.0.2.9:40721"),
        (["--client", "192.0.2.9:25"], "client.example pass 192.0.2.9:25"),
        (["--client", "2001:db8::9"], "client.example pass [2001:db8::9]:40721"),
        (["--client", "[2001:db8::9]"], "client.example pass [2001:db8::9]:40721"),
        (["--client", "::ffff:192.0.2.1"], "client.example pass [::ffff:192.0.2.1]:40721"),
        (["--fcrdns", "error"], "client.example error 192.0.2.5:40721"),
        (["--rdns", "<unknown>", "--fcrdns", "pass"], "<unknown> pass 192.0.2.5:40721"),
    ],
)
def test_where_it_comes_from(libexec: Path, given: list[str], wanted: str) -> None:
    assert told(libexec, *given)[0] == f"link-connect {wanted} 192.0.2.1:25"


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [
        (None, "7.9.0"),
        ((5, 9, 1), "6.8.0"),
        ((6, 8, 0), "6.8.0"),
        ((7, 5, 0), "6.8.0"),
        ((7, 6, 0), "7.6.0"),
        ((7, 8, 9), "7.6.0"),
        ((7, 9, 0), "7.9.0"),
        ((7, 10, 0), "7.9.0"),
    ],
)
def test_the_version_without_an_option(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[int, int, int] | None, wanted: str
) -> None:
    monkeypatch.setattr(options, "installed_version", lambda: installed)
    assert options.usual_model() == wanted


def test_the_filter_hears_the_version_of_the_installed_smtpd(
    libexec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "installed_version", lambda: (7, 6, 0))
    log = libexec / "version"
    program(libexec, f"open({str(log)!r}, 'wb').write(sys.stdin.buffer.readline())\nhello()\n")
    for argv, wanted in (((), "7.6.0-portable"), (("--smtpd-version", "6.8"), "6.8.0p2")):
        run("filter-x", *argv)
        assert log.read_text() == f"config|smtpd-version|{wanted}\n"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--from", "a|b@c"], "for --from: 'a|b@c' is no address that smtpd 7.9.0 takes"),
        (["--from", "a\n@c"], r"'a\n@c' holds a control character"),
        (["--from", "<a@c"], "'<a@c' is no address that smtpd 7.9.0 takes"),
        (["--from", "a@c>"], "'a@c>' is no address that smtpd 7.9.0 takes"),
        (["--from", "a@c> SIZE=1"], "'a@c> SIZE=1' is no address that smtpd 7.9.0 takes"),
        (["--from", ".a@c"], "'.a@c' is no address that smtpd 7.9.0 takes"),
        (["--from", "\xfc@c"], "'\xfc@c' is no address that smtpd 7.9.0 takes"),
        (["--rcpt", "a b@c"], "for --rcpt: 'a b@c' is no address that smtpd 7.9.0 takes"),
        (["--rcpt", "<>"], "'' is no address that smtpd 7.9.0 takes"),
        (
            ["--smtpd-version", "7.6", "--rcpt", "a@c", "--rcpt", "b@c."],
            "'b@c.' is no address that smtpd 7.6 takes",
        ),
        (["--client", "192.0.2"], "'192.0.2' is no IP address, nor one with a port"),
        (["--client", "192.0.2.1:0"], "0 is no port"),
        (["--client", "192.0.2.1:70000"], "70000 is no port"),
        (["--client", "[::1"], "'[::1' is no IP address, nor one with a port"),
        (["--client", "fe80::1%eth0"], "'fe80::1%eth0' is no IP address, nor one with a port"),
        (["--rdns", "a|b"], "'a|b' is no name of a host; smtpd would say <unknown>"),
        (["--helo", ""], "it is empty"),
        (["--helo", "a\r\nb"], "holds a control character"),
        (["--auth", ""], "it is empty"),
        (["--fcrdns", "maybe"], "maybe"),
        (["--smtpd-version", "5.9"], "no model of smtpd 5.9; there are 6.8.0, 7.6.0, 7.9.0"),
        (["--timeout", "0"], "0"),
        (["--timeout", "nan"], "'nan' is no time"),
    ],
)
def test_usage(libexec: Path, argv: list[str], text: str) -> None:
    program(libexec, ECHO)
    result = run("filter-x", *argv)
    assert text in result.stderr.splitlines()[-1]
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize(
    ("version", "sender", "helo", "wanted"),
    [
        ("7.6.0", "a`$b@c", "[ipv6:::1]", ["ehlo [ipv6:::1]", "mail-from a`$b@c"]),
        ("7.6.0", "@relay:a@c", "a-", ["ehlo a-", "mail-from @relay:a@c"]),
        ("7.9.0", "<@>", "[IPV6:192.0.2.1]", ["ehlo [IPV6:192.0.2.1]", "mail-from @"]),
        ("7.9.0", "#a@c", "[::1]", ["ehlo [::1]", "mail-from #a@c"]),
    ],
)
def test_odd_forms_that_smtpd_takes(
    libexec: Path, version: str, sender: str, helo: str, wanted: list[str]
) -> None:
    argv = ("--smtpd-version", version, "--from", sender, "--helo", helo)
    assert told(libexec, *argv)[2:4] == wanted


@pytest.mark.parametrize("helo", ["-a", "a..b", "a.", "x" * 64, "\xfc.example", "a b", "[a]"])
def test_names_that_smtpd_refuses(libexec: Path, helo: str) -> None:
    program(libexec, ECHO)
    result = run("filter-x", "--helo", helo)
    last = "refused: 501 5.5.4 Invalid command arguments: Invalid domain name"
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, last)
