"""What the test name server knows: our server, the others' mail servers, the clients."""

from lab.peers.clients import CLIENTS
from lab.peers.nameserver import Records
from lab.root.namespace import OTHER_MXS, OUTSIDE_MX, SERVER4

SERVER_ZONE: Records = {
    ("example.com", "A"): [SERVER4],
    ("example.com", "MX"): ["10 example.com."],
}
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
