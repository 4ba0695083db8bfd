"""A name server on 127.0.0.1:53 of the private network, answering from plain data."""

import contextlib
import socket
import threading
from collections.abc import Mapping

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from lab.namespace import CONFIRMED_PTR, LYING_PTR, OTHER_MXS, OUTSIDE_MX, SERVER4

ADDRESS = ("127.0.0.1", 53)

Records = Mapping[tuple[str, str], list[str]]
"""From (name without final dot, type) to the texts of the records, in zone file form."""

SERVER_ZONE: Records = {
    ("example.com", "A"): [SERVER4],
    ("example.com", "MX"): ["10 example.com."],
}
CLIENT_ZONE: Records = {
    (f"{'.'.join(reversed(LYING_PTR.split('.')))}.in-addr.arpa", "PTR"): ["lying.example.net."],
    ("lying.example.net", "A"): ["203.0.113.9"],
    (f"{'.'.join(reversed(CONFIRMED_PTR.split('.')))}.in-addr.arpa", "PTR"): ["good.example.net."],
    ("good.example.net", "A"): [CONFIRMED_PTR],
}
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


class NameServer:
    """Answers from ``records``, NXDOMAIN for all else; ``with NameServer(records):`` runs it."""

    def __init__(self, records: Records):
        self.records = records
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._serve, name="nameserver", daemon=True)

    def __enter__(self) -> "NameServer":
        self._socket.bind(ADDRESS)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # an unconnected socket says so, and wakes the thread
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
            except OSError:
                return
            if not query:  # shut down: the end
                return
            try:
                self._socket.sendto(self.answer(query), client)
            except (dns.exception.DNSException, OSError):
                continue  # nonsense, or a client that has gone

    def answer(self, query: bytes) -> bytes:
        """Return the answer to one query, both in wire form. Raises DNSException."""
        request = dns.message.from_wire(query)
        response = dns.message.make_response(request)
        response.flags |= dns.flags.AA | dns.flags.RA
        question = request.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        texts = self.records.get((name, kind))
        if texts:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        elif not any(name == known for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


def txt(name: bytes, timeout: int = 5) -> bytes | None:
    """Ask the test name server for a TXT record, in the form that dkimpy wants its DNS."""
    query = dns.message.make_query(dns.name.from_text(name.decode("ascii")), "TXT")
    response = dns.query.udp(query, ADDRESS[0], timeout=timeout, port=ADDRESS[1])
    for rrset in response.answer:
        for record in rrset:
            return b"".join(record.strings)
    return None
