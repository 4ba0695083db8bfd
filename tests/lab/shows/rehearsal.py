"""What is left of the demo without root: our filter and a model of smtpd, in this process."""

import base64
import tempfile
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.peers.mail import compose
from opensmtpd.testing import run_message
from opensmtpd_filters import dkimsign


def _key(path: Path) -> bytes:
    """Write a new private key; returns the text of its TXT record."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    path.chmod(0o600)
    der, info = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return b"v=DKIM1; p=" + base64.b64encode(key.public_key().public_bytes(der, info))


def rehearse() -> int:
    """Sign one message and verify it with dkimpy; 0 if the signature holds."""
    print("demo: so our filter signs for the test kit's model of smtpd instead")
    message = compose("alice@example.com", "bob@example.net", "no smtpd")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "private.key"
        record = _key(path)
        flags = dkimsign.parser().parse_args(["-d", "example.com", "-s", "mail", "-k", str(path)])
        signed = run_message(dkimsign.DkimSign(flags), message.replace(b"\r\n", b"\n")).message
    good = dkim.verify(signed.replace(b"\n", b"\r\n"), dnsfunc=lambda name, timeout=5: record)
    print(f"demo: {'signature verifies' if good else 'SIGNATURE BROKEN'}")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(rehearse())
