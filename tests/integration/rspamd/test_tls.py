"""filter-rspamd that asks over HTTPS: it accepts the certificates that this machine trusts."""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.support.dns_scenes import Chains, listen, ours, port
from integration.support.rspamd_mail import composed
from integration.support.rspamd_scenes import FROM, header
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.databases import tls
from lab.peers.rspamd.nonsense import Nonsense, reply, whole
from lab.root import inside
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup

PORT = 11397
CHAINS: Chains = {
    name: (ours("filter-rspamd", f"-url https://{name}:{PORT}/path --timeout 5"),)
    for name in ("localhost", "127.0.0.1")
}
HELLO = composed({}, [FROM], [b"hello"])
CERTIFICATES = "etc/lab-tls"


def prepare(guide: Guide) -> None:
    """Have a listener for each URL, and the machine trust who signed the certificates."""
    folder = guide.view / CERTIFICATES
    folder.mkdir()
    tls.write(folder)
    trusted = guide.view / "usr/local/share/ca-certificates"
    trusted.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "ca.pem", trusted / "lab.crt")
    inside.done(guide.view, "update-ca-certificates")
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "rspamd-tls", prepare)], indirect=True, ids=str
)


@pytest.fixture
def server() -> Iterator[Nonsense]:
    answer = whole(reply(b'{"action": "no action", "milter": {"add_headers": {"X-Seen": "y"}}}'))
    with Nonsense(PORT, answer) as server:
        yield server


def shows(folder: Path, name: str) -> ssl.SSLContext:
    """Return what shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem")
    return context


def send(chain: str) -> mail.Reply:
    with mail.connect(CONFIRMED_PTR, port(CHAINS, chain)) as client:
        return mail.send(client, STRANGER, LOCAL, HELLO)


@pytest.mark.parametrize("chain", CHAINS)
def test_the_right_certificate(lab: Lab, server: Nonsense, chain: str) -> None:
    server.tls = shows(lab.guide.view / CERTIFICATES, "right")
    assert send(chain)[0] == 250
    assert b"X-Seen: y" in header(lab.inbox.one().message)
    lines = server.requests[0].split(b"\r\n")
    assert lines[0] == b"POST /path/checkv2 HTTP/1.1"
    assert f"Host: {chain}:{PORT}".encode() in lines


@pytest.mark.parametrize("name", [name for name in tls.CERTIFICATES if name != "right"])
def test_others(lab: Lab, server: Nonsense, name: str) -> None:
    """No part of a message goes to a server that is not known."""
    server.tls = shows(lab.guide.view / CERTIFICATES, name)
    assert send("localhost")[0] == 451
    assert server.requests == []
    assert "its certificate is refused: " in lab.log


def test_no_tls(lab: Lab, server: Nonsense) -> None:
    assert send("localhost")[0] == 451
    assert server.requests == []
