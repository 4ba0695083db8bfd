"""The state of a session of filter-limit, and the bytes of its messages."""

from types import SimpleNamespace
from typing import Any

import pytest

from opensmtpd.mail.limit.visit import CountedMessage, LimitedVisit, visit_of


def session() -> Any:
    ends = {"source": b"192.0.2.5:4711", "destination": b"192.0.2.1:25"}
    return SimpleNamespace(data=None, rdns=b"client.example", fcrdns="pass", **ends)


def test_a_session_has_one_state() -> None:
    client = session()
    visit = visit_of(client)
    assert (str(visit.client.address), visit.size) == ("192.0.2.5", 0)
    assert visit_of(client) is visit
    assert visit_of(session()) is not visit


@pytest.mark.parametrize(
    ("header", "body", "size"),
    [
        ([[b"A: 1"]], [[b"x"]], 6 + 2 + 3),
        ([[b"A: 1"], [b"B: 22"]], [[b"x", b""], [b"yy"]], 6 + 7 + 2 + 5 + 4),
        ([[b"A: 1"]], [], 6),
        ([], [[b"x"]], 2 + 3),
    ],
)
def test_bytes_are_counted_with_crlf(
    header: list[list[bytes]], body: list[list[bytes]], size: int
) -> None:
    visit: LimitedVisit = visit_of(session())
    message = CountedMessage(visit)
    for lines in header:
        assert message.header(lines) is lines
    for lines in body:
        assert message.body(lines) is lines
    assert visit.size == size
