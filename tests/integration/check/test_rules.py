"""``opensmtpd-plugins check`` on rules and aliases: it must agree with smtpd; and ``--probe``."""

import json
import smtplib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.peers.mail import compose
from lab.root import inside, namespace
from lab.root.inside import CHROOT, ENVIRONMENT
from lab.root.namespace import SERVER4, STRANGER
from lab.root.server import Server
from lab.shows.guide import CONF, Guide
from lab.support import ALONE, need_stage

pytestmark = ALONE

BASE = f"""\
pki example.com cert "/etc/ssl/example.com.crt"
pki example.com key "/etc/ssl/private/example.com.key"
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
listen on {SERVER4} tls pki example.com
action "in" maildir alias <aliases>
action "out" relay
match from any for domain <domains> action "in"
"""
ALIASES = """\
root: alice
alice: alice
team: alice, username
half: alice, nosuchuser
ring: ring2
ring2: ring
home: home@example.com
away: bob@elsewhere.example
odd: two words
"""
REFUSED = {
    "half": ("alias-target-missing", 550),
    "ring": ("alias-loop", 524),
    "ring2": ("alias-loop", 524),
    "home": ("alias-loop", 524),
    "away": ("alias-refused", 550),
    "odd": ("alias-unreadable", 424),
}
WELL = ("root", "alice", "team")


@pytest.fixture(scope="module", params=["7.6", "7.9"])
def guide(request: pytest.FixtureRequest) -> Guide:
    """The guide's server, which does not run."""
    guide = need_stage(request.param).guide(f"check rules {request.param}")
    (guide.view / "etc/mail/aliases").write_text(ALIASES)
    with (guide.view / "etc/hosts").open("a") as hosts:
        hosts.write(f"{SERVER4} mail.example.com\n")
    return guide


def check(view: Path, conf: str) -> dict[tuple[str, int], str]:
    """Return the faults that are found in a configuration, by code and line."""
    (view / "etc/mail/smtpd.conf").write_text(conf)
    done = inside.tried(view, "opensmtpd-plugins", "check", "--json", "--no-dns", "--no-start",
                        "/etc/mail/smtpd.conf")  # fmt: skip
    return {
        (each["code"], each["line"]): each["fault"]
        for each in json.loads(done.stdout)
        if each["severity"] != "unseen"
    }


def asked(sender: str, recipient: str, helo: str = "client.example.net") -> int:
    """Return the code of the answer to a recipient that a stranger names."""
    with namespace.visit(STRANGER), smtplib.SMTP(
        SERVER4, local_hostname=helo, timeout=60, source_address=(STRANGER, 0)
    ) as client:  # fmt: skip
        client.ehlo()
        code, _ = client.mail(sender)
        return client.rcpt(recipient)[0] if code == 250 else code


class Rule(NamedTuple):
    """Rules, what a stranger says, and what is found and answered."""

    text: str
    codes: tuple[str, ...]
    answer: int
    sender: str = "probe@example.net"
    helo: str = "client.example.net"


RULES = [
    Rule('match from local for any action "out"', (), 550),
    Rule('match auth from any for any action "out"', (), 550),
    Rule('match from any for any action "out"', ("open-relay",), 250),
    Rule('match from src { 192.0.0.0/4 } for any action "out"', ("open-relay",), 250),
    Rule('match !from src <domains> for any reject\nmatch from any for any action "out"', (), 550),
    Rule('match from any mail-from "@example.com" for any action "out"', ("open-relay",), 250,
         sender="x@example.com"),
    Rule('match from any helo "mx.example.com" for any action "out"', ("open-relay",), 250,
         helo="mx.example.com"),
    Rule('match from any for rcpt-to regex { ".@." } action "out"', ("open-relay",), 250),
    Rule('match tls from any for any action "out"', ("rule-tls",), 451),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.text.replace("\n", "; "))
def test_rules_as_smtpd_takes_them(guide: Guide, rule: Rule) -> None:
    (guide.view / "etc/mail/aliases").write_text("root: alice\n")
    found = check(guide.view, BASE + rule.text + "\n")
    assert [code for code, _ in found] == list(rule.codes)
    with Server(guide.view):
        assert asked(rule.sender, "somebody@example.org", rule.helo) == rule.answer


def test_a_filter_of_smtpd_that_shuts_it(guide: Guide) -> None:
    text = 'filter users phase mail-from match !auth reject "550 log in"\n' + BASE.replace(
        "tls pki example.com\n", "tls pki example.com filter users\n"
    )
    found = check(guide.view, text + 'match from any for any action "out"\n')
    assert "open-relay" not in [code for code, _ in found]
    with Server(guide.view):
        assert asked("probe@example.net", "somebody@example.org") == 550


def test_aliases_as_smtpd_follows_them(guide: Guide) -> None:
    (guide.view / "etc/mail/aliases").write_text(ALIASES)
    found = check(guide.view, BASE + 'match for domain example.org action "out"\n')
    lines = [line.partition(":")[0] for line in ALIASES.splitlines()]
    said = {lines[line - 1]: code for code, line in found if code.startswith("alias")}
    assert said == {name: code for name, (code, _) in REFUSED.items()}
    with Server(guide.view):
        answers = {name: asked("a@example.net", f"{name}@example.com") for name in lines}
    assert answers == {**dict.fromkeys(WELL, 250), **{n: code for n, (_, code) in REFUSED.items()}}


@pytest.mark.parametrize(
    ("aliases", "host", "code", "log"),
    [
        ("alice: alice\n", "", "root-mail-refused", "MDA not allowed to deliver to: root"),
        ("root: alice\n", ' host "smtp://al@192.0.2.25" auth { al = "a:b" }',
         "relay-auth-without-tls", "Failed to parse smarthost"),
    ],
)  # fmt: skip
def test_mail_that_smtpd_takes_and_cannot_deliver(
    guide: Guide, aliases: str, host: str, code: str, log: str
) -> None:
    (guide.view / "etc/mail/aliases").write_text(aliases)
    conf = BASE.replace('action "out" relay', f'action "out" relay{host}')
    conf += 'match from any for domain example.org action "out"\nmatch for local action "in"\n'
    assert code in [code for code, _ in check(guide.view, conf)]
    recipient = "root@example.com" if "root" in code else "somebody@example.org"
    with Server(guide.view) as server, namespace.visit(STRANGER):
        seen = len(server.log.read_text())
        with smtplib.SMTP(SERVER4, timeout=60, source_address=(STRANGER, 0)) as client:
            message = compose("a@example.net", recipient, code)
            client.sendmail("a@example.net", recipient, message)
        end = time.monotonic() + 60
        while log not in server.log.read_text()[seen:] and time.monotonic() < end:
            time.sleep(0.1)
        assert log in server.log.read_text()[seen:]


@contextmanager
def elsewhere() -> Iterator[list[str]]:
    """Yield a command line to run others on a machine that is not the server's."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        here = ["ip", "link", "add", "far0", "type", "veth", "peer", "name", "far1", "netns"]
        there = ["nsenter", f"--net=/proc/{other.pid}/ns/net"]
        for command in (
            [*here, str(other.pid)],
            ["ip", "address", "add", "198.51.100.1/24", "dev", "far0"],
            ["ip", "link", "set", "far0", "up"],
            [*there, "ip", "address", "add", f"{STRANGER}/24", "dev", "far1"],
            [*there, "ip", "link", "set", "far1", "up"],
            [*there, "ip", "route", "add", "default", "via", "198.51.100.1"],
        ):
            subprocess.run(command, check=True)
        try:
            yield there
        finally:
            other.kill()
            subprocess.run(["ip", "link", "del", "far0"], check=False)


def probe(guide: Guide, there: list[str], trust: str = "/etc/ssl/example.com.crt") -> list[str]:
    """Return the codes of what a probe of the server finds."""
    command = ["opensmtpd-plugins", "check", "--json", "--probe", "mail.example.com"]
    done = subprocess.run(
        [*there, CHROOT, guide.view, *command], capture_output=True, check=False, timeout=120,
        env={**ENVIRONMENT, "SSL_CERT_FILE": trust},
    )  # fmt: skip
    assert done.stderr == b""
    found = [each["code"] for each in json.loads(done.stdout)]
    unseen = found == ["probe-itself"]
    assert done.returncode == (3 if unseen else 1 if found else 0)
    return found


@pytest.fixture
def named(guide: Guide) -> Guide:
    """The server, with a certificate for mail.example.com."""
    inside.done(
        guide.view, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "60",
        "-subj", "/CN=mail.example.com", "-addext", "subjectAltName=DNS:mail.example.com",
        "-keyout", "/etc/ssl/private/example.com.key", "-out", "/etc/ssl/example.com.crt",
    )  # fmt: skip
    return guide


def test_probes_from_another_machine(named: Guide) -> None:
    view = named.view
    with elsewhere() as there:
        assert probe(named, there) == ["probe-refused"]
        (view / "etc/mail/smtpd.conf").write_text(BASE + 'match for any action "out"\n')
        with Server(view):
            assert probe(named, there) == []
            assert probe(named, there, trust="/etc/ssl/certs/none") == ["probe-certificate"]
            assert probe(named, []) == ["probe-itself"]
        (view / "etc/mail/smtpd.conf").write_text(BASE + 'match from any for any action "out"\n')
        with Server(view):
            assert probe(named, there) == ["probe-open-relay"]
        open_for_its_own = 'match from any mail-from "@example.com" for any action "out"\n'
        plain = BASE.replace(" tls pki example.com\n", "\n")
        (view / "etc/mail/smtpd.conf").write_text(plain + open_for_its_own)
        with Server(view):
            assert probe(named, there) == ["probe-no-starttls", "probe-open-relay"]


def test_the_guide_is_good(guide: Guide) -> None:
    (guide.view / "etc/mail/aliases").write_text("root: alice\nalice: alice\n")
    assert check(guide.view, CONF.read_text()) == {}
