"""``dns``: the records of a domain, ready to be pasted, beside those that are there."""

from pathlib import Path
from typing import Any

import dns.zone
import pytest

from opensmtpd.dns import options as dns_options
from opensmtpd.testing import Zone
from opensmtpd_cli.system import mail_name, smtpd_conf
from unit.support.plain_dns import replies
from unit.support.swap import Program

ZONE = (
    "mail.example.com A 192.0.2.1",
    "1.2.0.192.in-addr.arpa PTR mail.example.com",
    "example.com MX mail.example.com",
    "example.com TXT v=spf1 ip4:192.0.2.1 -all",
    "_dmarc.example.com TXT v=DMARC1; p=reject",
)


class World:
    """The DNS, and how it was asked."""

    def __init__(self) -> None:
        self.records: tuple[str, ...] = ZONE
        self.options: Any = None

    def resolver(self, options: object) -> Zone:
        self.options = options
        return Zone(replies(*self.records), cached=False)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(dns_options, "resolver", world.resolver)
    monkeypatch.setattr(mail_name, "own_name", lambda _: ("mail.example.com", ""))
    return world


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "smtpd.conf"
    path.write_text(
        'action "in" maildir\naction "out" relay src 192.0.2.1\n'
        'match from any for domain { example.com } action "in"\nmatch for any action "out"\n'
    )
    return path


def test_what_is_there_and_what_is_not(run: Program, world: World, conf: Path) -> None:
    said = run("dns", "Example.com.", "--conf", conf, "--nameserver", "192.0.2.53")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "mail.example.com. IN A 192.0.2.1 ; it is there",
        "1.2.0.192.in-addr.arpa. IN PTR mail.example.com. ; it is there",
        "example.com. IN MX 10 mail.example.com. ; it is there",
        'example.com. IN TXT "v=spf1 ip4:192.0.2.1 -all" ; it is there',
        "; DKIM: no filter-dkimsign of smtpd.conf signs for example.com: opensmtpd-plugins genkey"
        " --domain example.com --selector mail",
        '_dmarc.example.com. IN TXT "v=DMARC1; p=reject" ; it is there',
    ]
    assert str(world.options.nameserver[0]) == "192.0.2.53:53"
    zone = dns.zone.from_text(
        f"$TTL 60\n{said.out}", origin=".", check_origin=False, relativize=False
    )
    assert len(list(zone.iterate_rdatas())) == 5


def test_the_usual_configuration(
    run: Program, world: World, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtpd_conf, "PATHS", ("/nowhere/smtpd.conf", str(conf)))
    assert run("dns", "example.com").status == 0
    monkeypatch.setattr(smtpd_conf, "PATHS", ("/nowhere/smtpd.conf",))
    assert run("dns", "example.com").status == 1


def test_behind_nat(run: Program, world: World, conf: Path) -> None:
    conf.write_text(conf.read_text().replace("192.0.2.1", "10.0.0.5"))
    said = run("dns", "example.com", "--conf", conf)
    assert said.out.splitlines()[:2] == [
        "; no address of this server is known: say which it has with --address",
        "; this server is 10.0.0.5 here, and the world sees another address: --address",
    ]
    told = run("dns", "example.com", "--conf", conf, "--address", "192.0.2.1")
    assert "mail.example.com. IN A 192.0.2.1 ; it is there" in told.out
    assert run("dns", "example.com", "--conf", conf, "--address", "x").status == 2


@pytest.mark.parametrize("domain", ["com", "a..b", "a@example.com", ""])
def test_what_is_no_domain(run: Program, world: World, conf: Path, domain: str) -> None:
    assert run("dns", domain, "--conf", conf).status == 2


def test_a_server_without_a_name(
    run: Program, world: World, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_name, "own_name", lambda _: ("mail", ""))
    said = run("dns", "example.com", "--conf", conf)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(
        "opensmtpd-plugins: smtpd calls itself 'mail', which is no full name of a host; write"
    )


def test_what_the_dns_has_is_made_harmless(run: Program, world: World, conf: Path) -> None:
    world.records = (*ZONE[:3], "example.com TXT v=spf1 \x1b[31m\n; -all")
    said = run("dns", "example.com", "--conf", conf)
    assert said.status == 0
    assert "\x1b" not in said.out
    assert len(said.out.splitlines()) == 6
