"""Exceptions of the kit: a running smtpd would have stopped here, or a session would hang.

Both are AssertionErrors because they are verdicts on the code under test: nothing should catch them
but a test, and a program whose business it is to report them.
"""


class Fatal(AssertionError):
    """smtpd would have died here, and all mail with it.

    ``reason`` holds the words that smtpd leaves in its log, ``line`` the line it died of (bytes,
    without the line feed).
    """

    def __init__(self, reason: str, line: bytes = b"") -> None:
        self.reason, self.line = reason, line
        super().__init__(
            f"smtpd dies: {reason}: {line[:200]!r}" if line else f"smtpd dies: {reason}"
        )


class Hung(AssertionError):
    """A request got no answer: the session would wait without end. ``requests`` names them."""

    def __init__(self, requests: object) -> None:
        self.requests = requests
        super().__init__(f"no answer to {requests}")
