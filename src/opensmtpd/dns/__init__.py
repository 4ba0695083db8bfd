"""The DNS for plugins: lookups are logic without I/O; one resolver in a process asks for them.

``questions`` has questions and replies, ``inquiry`` the lookups and the code that runs them,
``names`` the names of addresses. ``resolver`` asks name servers (through aiodns), ``cache``
remembers their replies, and ``options`` has the options of filters that ask.
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
