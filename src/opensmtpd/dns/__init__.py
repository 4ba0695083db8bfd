"""The DNS for plugins: lookups are logic without I/O; one resolver in a process asks for them.

``options`` has the options of filters that ask, and makes the resolver that they describe;
``names`` has the names that can be asked for and those of addresses. The folder ``resolver`` asks
name servers, through aiodns, and remembers their replies.
"""

from opensmtpd.dns.lookup import Lookup, gather, run_lookup
from opensmtpd.dns.question import Absent, Dns, Failed, Found, Question, RecordType, Reply

__all__ = [
    "Absent",
    "Dns",
    "Failed",
    "Found",
    "Lookup",
    "Question",
    "RecordType",
    "Reply",
    "gather",
    "run_lookup",
]
