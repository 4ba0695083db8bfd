"""Name servers as an administrator writes them."""

import pytest

from opensmtpd.dns.servers import ServerAddress, server
from opensmtpd.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected", "spelled"),
    [
        ("192.0.2.1", ServerAddress("192.0.2.1", 53), "192.0.2.1:53"),
        ("192.0.2.1:5353", ServerAddress("192.0.2.1", 5353), "192.0.2.1:5353"),
        ("2001:db8::1", ServerAddress("2001:db8::1", 53), "[2001:db8::1]:53"),
        ("[2001:db8::1]", ServerAddress("2001:db8::1", 53), "[2001:db8::1]:53"),
        ("[2001:DB8::1]:65535", ServerAddress("2001:db8::1", 65535), "[2001:db8::1]:65535"),
    ],
)
def test_a_name_server(text: str, expected: ServerAddress, spelled: str) -> None:
    assert server(text) == expected
    assert str(server(text)) == spelled


@pytest.mark.parametrize(
    "text",
    ["", "ns.example.org", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:", "192.0.2.1:x",
     "192.0.2.1:٣", "192.0.2.1:-1", ":53", "fe80::1%eth0", "[fe80::1%eth0]:53", "[2001:db8::1]:",
     "2001:db8:0:0:0:0:0:0:1:53"],
)  # fmt: skip
def test_what_is_no_name_server(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server(text)
    assert str(caught.value) == (
        f"{text!r} is no name server; write 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or "
        "[2001:db8::1]:5353"
    )
