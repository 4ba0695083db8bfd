"""clamav-milter behind filter-milter: a virus is refused, and other mail is not."""

import base64

import pytest

from integration.support.milter_real import prepare, send
from lab.peers.milters.clamav import EICAR, ClamavServer
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milters", prepare)], indirect=True, ids=str
)
HEADER = b"From: bob@example.net\r\nSubject: a file\r\nMIME-Version: 1.0\r\n"


def attached(content: bytes) -> bytes:
    """Return a message with a file."""
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return (
        HEADER + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n'
        b"--x\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
        b"--x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="a.bin"\r\n\r\n' + encoded + b"--x--\r\n"
    )


VIRUSES = {
    "body": HEADER + b"\r\n" + EICAR + b"\r\n",
    "attachment": attached(EICAR),
    "behind a megabyte": HEADER + b"\r\n" + (b"x" * 98 + b"\r\n") * 10_000 + EICAR + b"\r\n",
}


@pytest.mark.parametrize("message", VIRUSES.values(), ids=VIRUSES)
def test_a_virus(lab: Lab, clamav: ClamavServer, message: bytes) -> None:
    code, text = send("clamav", message)
    assert code == 550
    assert text.startswith(b"5.7.1 Infected with Lab.EICAR")


def test_clean_mail(lab: Lab, clamav: ClamavServer) -> None:
    for message in (attached(b"no virus"), HEADER + b"\r\n" + (b"x" * 98 + b"\r\n") * 10_000):
        assert send("clamav", message)[0] == 250
        delivered = lab.inbox.one()
        assert delivered.folder == "inbox"
        assert b"\nX-Virus-Status: Clean\n" in delivered.message
        assert delivered.message.endswith(message.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n"))
