"""The log line about a bound that is reached: one a second, with the number of refusals."""

from opensmtpd._protocol.bounds import PENDING_MAX, SESSIONS_MAX, Complaint, Crowded
from opensmtpd.errors import Unavailable


def test_one_line_a_second() -> None:
    logged: list[object] = []

    def log(event: str, **fields: object) -> None:
        logged.append((event, fields))

    complaint = Complaint(log, "things-refused", 7)
    for now in (5.0, 5.1, 5.9, 6.0, 6.5, 9.0):
        complaint.make(now)
    assert logged == [
        ("things-refused", {"count": 1, "limit": 7}),
        ("things-refused", {"count": 3, "limit": 7}),
        ("things-refused", {"count": 2, "limit": 7}),
    ]


def test_the_bounds_are_documented_constants() -> None:
    assert (SESSIONS_MAX, PENDING_MAX) == (10_000, 20_000)
    assert issubclass(Crowded, Unavailable)
