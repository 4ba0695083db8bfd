"""What is left of the demo without root: our filters and a model of smtpd, in this process."""

import base64
import socket
import tempfile
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.peers.mail import compose
from lab.peers.nameserver import NameServer
from lab.shows import inbound
from opensmtpd.testing import Outcome, run_message
from opensmtpd_filters import auth, dkimsign


def _key(path: Path) -> bytes:
    """Write a new private key; returns the text of its TXT record."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    path.chmod(0o600)
    der, info = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return b"v=DKIM1; p=" + base64.b64encode(key.public_key().public_bytes(der, info))


def sign() -> bool:
    """Sign one message and verify it with dkimpy; returns whether the signature holds."""
    message = compose("alice@example.com", "bob@example.net", "no smtpd")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "private.key"
        record = _key(path)
        flags = dkimsign.parser().parse_args(["-d", "example.com", "-s", "mail", "-k", str(path)])
        signed = run_message(dkimsign.DkimSign(flags), message.replace(b"\r\n", b"\n")).message
    good = dkim.verify(signed.replace(b"\n", b"\r\n"), dnsfunc=lambda name, timeout=5: record)
    print(f"demo: {'signature verifies' if good else 'SIGNATURE BROKEN'}")
    return bool(good)


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def judge(scene: inbound.InboundScene, signer: inbound.Signer, port: int) -> tuple[str, str]:
    """Have filter-auth judge the mail of a scene; ``port`` is that of the name server."""
    server = f"127.0.0.1:{port}"
    flags = ["--enforce", "--trust-sealer", inbound.LIST, "--nameserver", server, "example.com"]
    sender = f"bob@{scene.author}"
    message = scene.made(signer, scene.author, compose(sender, inbound.ALICE, scene.title))
    judged = run_message(
        auth.Inbound(auth.parser().parse_args(flags)),
        message.replace(b"\r\n", b"\n"),
        source=f"{scene.client}:40721".encode(),
        sender=sender.encode(),
    )
    return fate(judged, scene.author)


def fate(judged: Outcome, author: str) -> tuple[str, str]:
    """Return where a message landed, and what was said of it."""
    if not judged.accepted:
        return "refused", inbound.refusal(judged.reply.decode(), author)
    junk = b"\nX-Spam: Yes\n" in b"\n" + judged.message.partition(b"\n\n")[0] + b"\n"
    return ".Junk" if junk else "inbox", inbound.results(judged.message)


def rehearse() -> int:
    """Sign one message, and judge those of others; 0 if all ended as it should."""
    print("demo: so our filters work for the test kit's model of smtpd instead")
    good = sign()
    signer, port = inbound.new_signer(), free_port()
    with NameServer(signer.zone(), ("127.0.0.1", port)):
        for scene in inbound.SCENES:
            place, says = judge(scene, signer, port)
            right = (place, says) == (scene.place, scene.says)
            good = good and right
            print(f"demo: {scene.title}: {place}, {says} {'' if right else 'WRONG'}".rstrip())
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(rehearse())
