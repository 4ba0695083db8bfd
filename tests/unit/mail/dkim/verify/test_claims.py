"""Claims and verdicts cross the border between processes as lists."""

from opensmtpd.mail.dkim.verify.claims import FAIL, WORDS, Claim, Verdict, verdicts
from opensmtpd.worker.frames import FrameBuffer, pack


def crossed(value: object) -> list[object]:
    """Return what the other process gets."""
    return list(FrameBuffer().feed(pack(value)))


def test_they_are_the_same_on_the_other_side() -> None:
    claim = Claim("rsa", b"key", bytes(32), b"signature", weak=True)
    assert [Claim(*each) for each in crossed(claim)] == [claim]  # type: ignore[misc]
    verdict = Verdict(FAIL, 2048)
    assert [Verdict(*each) for each in crossed(verdict)] == [verdict]  # type: ignore[misc]


def test_the_words() -> None:
    assert {"pass", "fail", "badkey", "weak", "large"} == WORDS


def test_a_reply_that_is_none() -> None:
    good = ["pass", 2048]
    assert verdicts([good, ["fail", 0]], 2) == [Verdict("pass", 2048), Verdict("fail", 0)]
    assert verdicts([good, ["maybe", 0]], 2) == [Verdict("pass", 2048), None]
    assert verdicts([good, ["pass"]], 2) == [Verdict("pass", 2048), None]
    for reply in (None, b"pass", [], [good], [good] * 3):
        assert verdicts(reply, 2) == [None, None]
