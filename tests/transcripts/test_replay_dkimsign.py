"""Recordings replayed to filter-dkimsign: it signs what has a From, and changes nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.filter import Filter
from opensmtpd.testing import Replay, Transcript, replay
from opensmtpd_filters import dkimsign


@pytest.fixture
def make(tmp_path: Path) -> Callable[[], Filter]:
    key = tmp_path / "private.key"
    key.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    key.chmod(0o600)
    flags = ["-a", "ed25519-sha256", "-d", "example.com", "-s", "test", "-k", str(key)]

    def made() -> Filter:
        return dkimsign.DkimSign(dkimsign.parser().parse_args(flags))

    return made


def messages(lines: list[bytes]) -> list[list[bytes]]:
    """Return the messages that came to their final dot, in order, for each session."""
    under_way: dict[bytes, list[bytes]] = {}
    done: list[tuple[bytes, list[bytes]]] = []
    for line in lines:
        if not line.startswith(b"filter-dataline|"):
            continue
        _, session, _, payload = line.split(b"|", 3)
        if payload == b".":
            done.append((session, under_way.pop(session, [])))
        else:
            under_way.setdefault(session, []).append(payload)
    return [message for _, message in sorted(done, key=lambda pair: pair[0])]


def signed(result: Replay) -> list[list[bytes]]:
    return messages(result.written.split(b"\n"))


def test_each_message_with_a_from_is_signed_and_otherwise_unchanged(
    transcript: Transcript, make: Callable[[], Filter]
) -> None:
    came = messages(transcript.plugin)
    result = replay(transcript, FilterConnection(make()))
    assert result.unanswered == []
    went = signed(result)
    assert len(went) == len(came) > 15
    with_signature = 0
    for before, after in zip(came, went, strict=True):
        front = after[: len(after) - len(before)]
        assert after[len(front) :] == before
        header = before[: before.index(b"")] if b"" in before else before
        has_from = any(line.lower().startswith(b"from:") for line in header)
        assert bool(front) == has_from
        if front:
            with_signature += 1
            assert front[0].startswith(b"DKIM-Signature: ")
            assert all(line.startswith((b" ", b"\t")) for line in front[1:])
    assert 10 < with_signature < len(came)  # there is one without a From


def test_byte_by_byte_is_the_same_as_line_by_line(
    transcript: Transcript, make: Callable[[], Filter]
) -> None:
    linewise = replay(transcript, FilterConnection(make()))
    assert replay(transcript, FilterConnection(make()), chunk=1).written == linewise.written


def test_nothing_is_left_behind(transcript: Transcript, make: Callable[[], Filter]) -> None:
    """No chunk has the end of a message and what smtpd sent when it had the signature."""
    protocol = FilterConnection(make())
    assert replay(transcript, protocol, chunk=64).unanswered == []
    assert (protocol.session_count, protocol.message_count, protocol.held_bytes) == (0, 0, 0)
