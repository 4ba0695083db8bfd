"""What the test name server knows: our server, the others' mail servers, the clients."""

from ipaddress import ip_address

from lab.peers.clients import CLIENTS
from lab.peers.nameserver import Records
from lab.root.namespace import OTHER_MXS, OUTSIDE_MX, SERVER4, SERVER6

SERVER_ZONE: Records = {
    ("example.com", "A"): [SERVER4],
    ("example.com", "MX"): ["10 example.com."],
}
GOOD_NAMES: Records = {
    ("example.com", "AAAA"): [SERVER6],
    ("example.com", "TXT"): [f'"v=spf1 ip4:192.0.2.80 ip6:{SERVER6} -all"'],
    ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject"'],
    (ip_address("192.0.2.80").reverse_pointer, "PTR"): ["example.com."],
    (ip_address(SERVER6).reverse_pointer, "PTR"): ["example.com."],
}
"""What our server lacks there: with it, nobody has anything against the DNS. Of its address in a
private network, the world sees 192.0.2.80.
"""
CLIENT_ZONE: Records = {key: found for client in CLIENTS for key, found in client.records.items()}
OUTSIDE_ZONE: dict[tuple[str, str], list[str]] = {
    ("outside.example.org", "MX"): ["10 mx.outside.example.org."],
    ("mx.outside.example.org", "A"): [OUTSIDE_MX],
}
for _number, (_four, _six) in enumerate(OTHER_MXS):
    OUTSIDE_ZONE |= {
        (f"other{_number}.example.org", "MX"): [f"10 mx.other{_number}.example.org."],
        (f"mx.other{_number}.example.org", "A"): [_four],
        (f"mx.other{_number}.example.org", "AAAA"): [_six],
    }
