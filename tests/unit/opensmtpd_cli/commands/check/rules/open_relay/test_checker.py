"""Open relays, and rules that look like one."""

import time
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.rules.open_relay import checker
from unit.support.checked import found_by, server
from unit.support.swap import guide

HEAD = """\
pki p cert "/c" key "/k"
table far sqlite:/etc/far.conf
table own { example.com, "*.example.com" }
listen on lo0
listen on 192.0.2.1
listen on 2001:db8::1
listen on 192.0.2.1 port 587 tls-require pki p auth tag SUBMISSION
action "in" maildir
action "out" relay
action "smart" relay host smtp://relay.example.com
action "backup" relay backup
action "known" relay domain { "a.example" = "smtp://b.example" }
"""


def said(folder: Path, rules: str, head: str = HEAD) -> list[tuple[str, str]]:
    found = found_by(checker.check, folder, head + rules + "\n")
    assert {each.code for each in found} <= {"open-relay"}
    return [(str(each.severity), each.fault) for each in found]


def relay(who: str, port: int = 25) -> str:
    return f"an open relay: {who} may send mail to all the world through port {port}"


OPEN = {
    'match from any for any action "out"': "anybody",
    'match from any for any action "smart"': "anybody",
    'match from src { 0.0.0.0/0 } for any action "out"': "anybody",
    'match from src { 0.0.0.0/1, 128.0.0.0/1 } for any action "out"': "anybody",
    'match from src { ::/0 } for any action "out"': "anybody",
    'match !from src { 10.0.0.0/8 } for any action "out"': "anybody",
    'match !from src <far> for any action "out"': "anybody",
    'match from src regex { "." } for any action "out"': "anybody",
    'match from src { 203.0.113.0/2 } for any action "out"': "anybody in 192.0.0.0/2",
    'match from src { 2000::/3 } for any action "out"': "anybody",
    'match from any for domain "*" action "out"': "anybody",
    'match from any for domain { "*.com" } action "out"': "anybody",
    'match from any for domain regex { ".*" } action "out"': "anybody",
    'match from any for rcpt-to { "@" } action "out"': "anybody",
    'match from any for rcpt-to regex { ".+@.+" } action "out"': "anybody",
    'match from any !for domain <own> action "out"': "anybody",
    'match from any !for local action "out"': "anybody",
    'match !auth from any for any action "out"': "anybody",
    'match !from auth for any action "out"': "anybody",
    'match from any for any mail-from "@example.com" action "out"':
        "anybody who gives the sender <somebody@example.com>",
    'match from mail-from "@example.com" for any action "out"':
        "anybody who gives the sender <somebody@example.com>",
    'match from any for any helo "mx.example.com" action "out"':
        "anybody who says HELO mx.example.com",
    'match from rdns for any action "out"': "anybody who has any name in the DNS",
    'match !from rdns for any action "out"': "anybody who has any name in the DNS",
    'match from any for any !tag SUBMISSION action "out"': "anybody",
    'match from any for domain <far> action "in"\nmatch from any for any action "out"': "anybody",
    'match from any mail-from "@spam.example" for any reject\nmatch from any for any action "out"':
        "anybody",
}  # fmt: skip


@pytest.mark.parametrize("rules", OPEN)
def test_open_relays(tmp_path: Path, rules: str) -> None:
    assert said(tmp_path, rules) == [("error", relay(OPEN[rules]))]


def test_relays_for_those_who_name_themselves_so_in_the_dns(tmp_path: Path) -> None:
    rules = 'match from rdns "mx.example.com" for any action "out"'
    who = "anybody who has a PTR record mx.example.com"
    assert said(tmp_path, rules) == [("warning", relay(who))]


def test_networks_that_hardly_anybody_has(tmp_path: Path) -> None:
    rules = 'match from src 203.0.113.0/8 for any action "out"'
    assert said(tmp_path, rules) == [("warning", relay("anybody in 203.0.0.0/8"))]


SHUT = [
    'match for any action "out"',
    'match from local for any action "out"',
    'match from socket for any action "out"',
    'match auth from any for any action "out"',
    'match from auth for any action "out"',
    'match from any for any auth { al } action "out"',
    'match from src { 203.0.113.0/24, 2001:db8::/32, 10.0.0.0/8, fc00::/7 } for any action "out"',
    'match from src <far> for any action "out"',
    'match from any for domain <own> action "out"',
    'match from any for domain <far> action "out"',
    'match from any for rcpt-to "@example.com" action "out"',
    'match from any for rcpt-to { "@*.example.com" } action "out"',
    'match from any for any action "in"',
    'match from any for any action "backup"',
    'match from any for any action "known"',
    'match from any for any tag SUBMISSION action "out"',
    'match from any for any tag OTHER action "out"',
    'match from any for any reject\nmatch from any for any action "out"',
    'match !auth from any for any reject\nmatch from any for any action "out"',
    'match !from src { 10.0.0.0/8 } for any reject\nmatch from any for any action "out"',
    'match !from src <far> for any reject\nmatch from any for any action "out"',
    'match from any !for domain <far> reject\nmatch from any for any action "out"',
    'match from any for any action "in"\nmatch from any for any action "out"',
    'match tls from any for any action "out"',
    'match tls from any for any reject\nmatch from any for any action "out"',
    'match from any for any something-new action "out"',
    'match something-new from any for any reject\nmatch from any for any action "out"',
    'match from any mail-from "@example.com" for any reject\n'
    'match from any mail-from "@example.com" for any action "out"',
    "match from any mail-from <far> for any reject\n"
    'match from any mail-from "@example.com" for any action "out"',
]


@pytest.mark.parametrize("rules", SHUT)
def test_no_open_relays(tmp_path: Path, rules: str) -> None:
    assert said(tmp_path, rules) == []


def test_listeners_that_strangers_cannot_use(tmp_path: Path) -> None:
    for line in ("listen on lo0", "listen on 192.0.2.1 tls pki p auth"):
        head = f'pki p cert "/c" key "/k"\n{line}\naction "out" relay\n'
        assert said(tmp_path, 'match from any for any action "out"', head) == []


def test_what_to_do_about_it(tmp_path: Path) -> None:
    def remedy(source: str) -> str:
        rule = f'match from {source} for any action "out"'
        head = HEAD + f"table lan file:{tmp_path}/lan\ntable wide {{ 10.0.0.0/8, 0.0.0.0/1 }}\n"
        [found] = found_by(checker.check, tmp_path, f"{head}{rule}\n")
        return found.remedy

    (tmp_path / "lan").write_text("192.168.0.0/16\n0.0.0.0/0\n")
    assert remedy("any") == 'match auth from any for any action "out"'
    again = "or correct its prefix length"
    assert remedy("src <lan>") == f"take 0.0.0.0/0 out of {tmp_path}/lan, {again}"
    assert remedy("src <wide>") == f"take 0.0.0.0/1 out of the table wide, {again}"
    assert remedy("src ::/0") == f"take ::/0 out of this rule, {again}"


def test_a_listener_of_one_family(tmp_path: Path) -> None:
    head = 'listen on 192.0.2.1\naction "out" relay\n'
    assert said(tmp_path, 'match from src ::/0 for any action "out"', head) == []
    assert len(said(tmp_path, 'match from src 0.0.0.0/0 for any action "out"', head)) == 1


def test_the_listener_by_its_tag(tmp_path: Path) -> None:
    head = HEAD + "listen on 192.0.2.1 port 2525 tag BACKDOOR\n"
    rules = 'match tag BACKDOOR from any for any action "out"'
    assert said(tmp_path, rules, head) == [("error", relay("anybody", 2525))]


def test_the_guide_is_none(tmp_path: Path) -> None:
    assert list(checker.check(server(guide(tmp_path)))) == []


def test_the_work_is_bounded(tmp_path: Path) -> None:
    """Hundreds of rules with tables take seconds at most."""
    rows = ", ".join(f"d{n}.example" for n in range(300))
    rules = "\n".join(
        f'match from src {{ 10.{n // 250}.{n % 250}.0/24 }} for domain <own> action "out"'
        for n in range(300)
    )
    start = time.process_time()
    head = HEAD.replace("example.com, ", f"{rows}, ")
    assert said(tmp_path, f'{rules}\nmatch from any for any action "out"', head) == [
        ("error", relay("anybody"))
    ]
    assert time.process_time() - start < 20
