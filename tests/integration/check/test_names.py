"""``check``, ``testkey`` and ``dns`` as root beside the guide's files, with a real name server."""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from lab.peers.nameserver import NameServer, Records, failing, of_zone
from lab.peers.zones import GOOD_NAMES, SERVER_ZONE
from lab.root import inside
from lab.shows.guide import CONF, Guide
from lab.support import ALONE, need_stage

pytestmark = ALONE

GUIDE = CONF.read_text()
OURS = ("dkim-", "reverse-", "helo-", "address-", "mx-", "spf-", "dmarc-", "mta-sts-", "tls-rpt-",
        "pki-", "not-looked")  # fmt: skip
"""How the codes of findings about names begin."""
SEEN = "192.0.2.80"
"""What the world sees of 192.168.1.1, which the guide's mail leaves from."""
ZONE: Records = {
    **SERVER_ZONE,
    **GOOD_NAMES,
    ("example.com", "A"): [SEEN],
    ("_mta-sts.example.com", "TXT"): ['"v=STSv1; id=20260101"'],
    ("mta-sts.example.com", "CNAME"): ["example.com."],
}
KEY = ("mail._domainkey.example.com", "TXT")


class World(NamedTuple):
    """The guide's server, which does not run, and the DNS."""

    guide: Guide
    dns: NameServer
    records: Records

    def run(self, *command: str) -> tuple[int, str]:
        """Run the operator's command; return its status and what it prints."""
        done = inside.tried(self.guide.view, "opensmtpd-plugins", *command)
        assert done.stderr == b""
        return done.returncode, done.stdout.decode()

    def check(self, *more: str) -> list[str]:
        """Return findings about names, as ``CODE: TEXT OF THE LINE``."""
        asked = ("--no-start", "--json", "--address", SEEN, "--address", "2001:db8::")
        _, out = self.run("check", *(more or asked), "/etc/mail/smtpd.conf")
        found = [each for each in json.loads(out) if each["code"].startswith(OURS)]
        return [f"{each['code']}: {self._line(each['path'], each['line'])}" for each in found]

    def _line(self, path: str, line: int) -> str:
        lines = (self.guide.view / path[1:]).read_text().splitlines() if line else [path]
        return lines[line - 1] if line else path

    def put(self, name: str, kind: str, *texts: str) -> None:
        """Have the DNS say something else of a name; nothing where there are no texts."""
        left = {key: value for key, value in self.dns.records.items() if key != (name, kind)}
        self.dns.records = {**left, (name, kind): texts} if texts else left

    def write(self, old: str, new: str) -> None:
        """Change smtpd.conf."""
        assert old in GUIDE
        (self.guide.view / "etc/mail/smtpd.conf").write_text(GUIDE.replace(old, new))


@pytest.fixture(scope="module")
def running_world() -> Iterator[World]:
    guide = need_stage("7.9").guide("check names")
    records = {**ZONE, KEY: [guide.dkim_record]}
    with NameServer(records) as dns:
        yield World(guide, dns, records)


@pytest.fixture
def world(running_world: World) -> Iterator[World]:
    yield running_world
    running_world.dns.records = running_world.records
    (running_world.guide.view / "etc/mail/smtpd.conf").write_text(GUIDE)
    (running_world.guide.view / "etc/mailname").write_text("example.com\n")


def test_the_guide_is_good(world: World) -> None:
    assert world.check() == []


def test_behind_nat_nothing_is_said_but_that(world: World) -> None:
    assert world.check("--no-start", "--json") == [
        'address-private: action "outbound" relay src <hosts>'
    ]


DKIMSIGN = next(line for line in GUIDE.splitlines() if "proc-exec" in line)
OUTBOUND = 'action "outbound" relay src <hosts>'
IN = 'match from any for domain <domains> action "maildir"'
FAULTS: dict[str, tuple[Callable[[World], object], list[str]]] = {
    "a key that is not published": (
        lambda world: world.put(*KEY),
        [f"dkim-key-unpublished: {DKIMSIGN}"],
    ),
    "another key": (
        lambda world: world.put(*KEY, '"v=DKIM1; k=rsa; p="'),
        [f"dkim-key-revoked: {DKIMSIGN}"],
    ),
    "a domain that is misspelt": (
        lambda world: world.write("-d example.com", "-d exmaple.com"),
        [
            f"{each}: {DKIMSIGN.replace('-d example', '-d exmaple')}"
            for each in ("dkim-key-unpublished", "dkim-sender-strange")
        ],
    ),
    "an address without a name": (
        lambda world: world.put("80.2.0.192.in-addr.arpa", "PTR"),
        [f"reverse-missing: {OUTBOUND}"],
    ),
    "a name that leads elsewhere": (
        lambda world: world.put("80.2.0.192.in-addr.arpa", "PTR", "host.provider.example."),
        [f"reverse-unconfirmed: {OUTBOUND}"],
    ),
    "a name that is no full one": (
        lambda world: (world.guide.view / "etc/mailname").write_text("example\n"),
        ["helo-name: example"],
    ),
    "an MX that is not there": (
        lambda world: world.put("example.com", "MX", "10 gone.example.com."),
        [f"mx-dead: {IN}"],
    ),
    "no SPF": (
        lambda world: world.put("example.com", "TXT"),
        [f"spf-missing: {DKIMSIGN}"],
    ),
    "SPF without our address": (
        lambda world: world.put("example.com", "TXT", '"v=spf1 ip6:2001:db8:: -all"'),
        [f"spf-refuses: {DKIMSIGN}"],
    ),
    "SPF in error": (
        lambda world: world.put("example.com", "TXT", f'"v=spf1 ip:{SEEN} -all"'),
        [f"spf-error: {DKIMSIGN}"],
    ),
    "no DMARC": (
        lambda world: world.put("_dmarc.example.com", "TXT"),
        [f"dmarc-missing: {DKIMSIGN}"],
    ),
    "a policy of DMARC that is wrong": (
        lambda world: world.put("_dmarc.example.com", "TXT", '"v=DMARC1; p=rejct"'),
        [f"dmarc-wrong: {DKIMSIGN}"],
    ),
    "MTA-STS without its host": (
        lambda world: world.put("mta-sts.example.com", "CNAME"),
        [f"mta-sts-wrong: {IN}"],
    ),
    "a name server that fails": (
        lambda world: setattr(
            world.dns, "records", {**world.records, ("_dmarc.example.com", "TXT"): failing()}
        ),
        [f"dmarc-unseen: {DKIMSIGN}"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(world: World, name: str) -> None:
    plant, expected = FAULTS[name]
    plant(world)
    assert world.check() == expected


def test_certificates(world: World) -> None:
    certificate, key = "/etc/ssl/example.com.crt", "/etc/ssl/private/example.com.key"
    lines = [line for line in GUIDE.splitlines() if line.startswith("pki")]
    path = world.guide.view / key[1:]
    path.chmod(0o644)
    assert world.check() == [f"pki-mode: {lines[1]}"]
    said = inside.tried(world.guide.view, "smtpd", "-n", "-f", "/etc/mail/smtpd.conf")
    assert said.returncode != 0
    path.chmod(0o600)
    good = path.read_bytes()
    inside.done(world.guide.view, "openssl", "genrsa", "-out", key, "2048")
    assert world.check() == [f"pki-key: {lines[1]}"]
    path.write_bytes(good)
    world.write(f'cert "{certificate}"', 'cert "/etc/ssl/gone.crt"')
    assert [each.split(":")[0] for each in world.check()] == ["pki-missing"]


def test_the_keys_of_the_guide(world: World) -> None:
    expected = "mail._domainkey.example.com: equal to /etc/mail/dkim/private.key\n"
    assert world.run("testkey", DKIMSIGN) == (0, expected)
    world.dns.records = {**world.records, KEY: failing()}
    assert world.run("testkey", DKIMSIGN)[0] == 3


def test_the_records_of_the_guide(world: World) -> None:
    command = ("dns", "example.com", "--conf", "/etc/mail/smtpd.conf", "--address", SEEN)
    status, out = world.run(*command)
    assert (status, [line for line in out.splitlines() if not line.endswith("; it is there")]) == (
        0,
        [],
    )
    records = of_zone(out)
    asked = {key: texts for key, texts in world.records.items() if key[1] not in ("TXT", "CNAME")}
    assert {key: texts for key, texts in records.items() if key[1] != "TXT"} == asked
    world.dns.records = {}
    assert of_zone(world.run(*command)[1]).keys() == {
        key for key in records if key[0] != "_mta-sts.example.com"
    }
