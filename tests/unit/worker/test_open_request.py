from typing import Any

from opensmtpd.errors import WorkerError
from opensmtpd.worker.open_request import OpenRequest


def test_a_request_ends_once() -> None:
    request = OpenRequest(7, b"frame", 1.0)
    ends: list[tuple[Any, Any]] = []
    request.deferred.on_end(lambda *end: ends.append(end))
    assert not request.ended
    settle = request.settled("value")
    assert request.ended
    assert ends == []
    settle()
    request.failed("late")()
    assert ends == [("value", None)]


def test_its_failure() -> None:
    request = OpenRequest(7, b"frame", 1.0)
    ends: list[tuple[Any, Any]] = []
    request.deferred.on_end(lambda *end: ends.append(end))
    request.failed("not this", "ConfigError")()
    ((value, error),) = ends
    assert (value, str(error), error.kind) == (None, "not this", "ConfigError")
    assert isinstance(error, WorkerError)
