"""The meaning of replies."""

import pytest

from opensmtpd.backends.socketmap.reply import meaning
from opensmtpd.errors import ServerRefused


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (b"OK alice", "alice"),
        (b"ok Alice, Bob ", "Alice, Bob "),
        (b"Ok  two", " two"),
        (b"OK ", ""),
        (b"OK", ""),
        (b"OK \xff\n", "\udcff\n"),
        (b"NOTFOUND ", None),
        (b"NOTFOUND", None),
        (b"notfound really", None),
    ],
)
def test_values(reply: bytes, value: str | None) -> None:
    assert meaning(reply) == value


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"TEMP try later", "the server says TEMP try later"),
        (b"temp", "the server says TEMP"),
        (b"TIMEOUT ", "the server says TIMEOUT"),
        (b"PERM no such map", "the server says PERM no such map"),
        (b"PERM " + b"x" * 500, "the server says PERM " + "x" * 120),
        (b"", "the server's reply is none of OK, NOTFOUND, TEMP, TIMEOUT, PERM"),
        (b"OKAY a", "the server's reply is none of OK, NOTFOUND, TEMP, TIMEOUT, PERM"),
        (b" OK a", "the server's reply is none of OK, NOTFOUND, TEMP, TIMEOUT, PERM"),
        (b"OK\ta", "the server's reply is none of OK, NOTFOUND, TEMP, TIMEOUT, PERM"),
        (b"250 OK", "the server's reply is none of OK, NOTFOUND, TEMP, TIMEOUT, PERM"),
    ],
)
def test_failures(reply: bytes, reason: str) -> None:
    with pytest.raises(ServerRefused) as caught:
        meaning(reply)
    assert str(caught.value) == reason
