"""The DNS for plugins: what to ask is logic without I/O, and one resolver in a process asks it.

``questions`` has questions and replies, ``inquiry`` what runs the logic, ``names`` the names of
addresses, ``resolver`` the asking (through aiodns), ``cache`` what is remembered, ``options`` the
options of filters that ask.
"""

from opensmtpd.dns.inquiry import Inquiry, settle, together
from opensmtpd.dns.questions import Absent, Dns, Failed, Found, Kind, Question, Reply

__all__ = [
    "Absent",
    "Dns",
    "Failed",
    "Found",
    "Inquiry",
    "Kind",
    "Question",
    "Reply",
    "settle",
    "together",
]
