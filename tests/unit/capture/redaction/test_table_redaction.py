import pytest

from opensmtpd.capture.format import CaptureKind, Speaker
from opensmtpd.capture.redaction.table_redaction import TableRedaction
from unit.support.captures import P, S, lines, said, talk

HEAD = "table|0.1|1795335705.127288|users"


def kept(*texts: str, chunk: int | None = None, addresses: bool = True) -> list[str]:
    entries = said(CaptureKind.TABLE, talk(*texts), chunk=chunk, addresses=addresses)
    return [
        f"{'<' if speaker is S else '>'}{'!' if hidden else ' '}{line.decode()}"
        for speaker, line, hidden in lines(entries)
    ]


chunks = pytest.mark.parametrize("chunk", [None, 1, 7])


@chunks
def test_logins_lose_keys_and_answers(chunk: int | None) -> None:
    assert kept(
        "< config|tablename|users", "< config|ready", "> register|auth", "> register|ready",
        f"< {HEAD}|check|auth|0a|alice:secret", "> check-result|0a|found",
        f"< {HEAD}|lookup|credentials|0b|alice", "> lookup-result|0b|found|alice:$6$hash",
        f"< {HEAD}|lookup|credentials|0c|alice", "> lookup-result|0c|error|of secret",
        f"< {HEAD}|lookup|alias|0d|alice|x", "> lookup-result|0d|found|bob",
        f"< {HEAD}|fetch|source|0e", "> fetch-result|0e|found|192.0.2.1",
        f"< {HEAD}|update|0f", "> update-result|0f|error|bad",
        "> lookup-result|0f|found|asked by nobody", "> secret",
        chunk=chunk,
    ) == [
        "< config|tablename|users", "< config|ready", "> register|auth", "> register|ready",
        f"<!{HEAD}|check|auth|0a|***", "> check-result|0a|found",
        f"<!{HEAD}|lookup|credentials|0b|***", ">!lookup-result|0b|found|***",
        f"<!{HEAD}|lookup|credentials|0c|***", ">!lookup-result|0c|error|***",
        f"< {HEAD}|lookup|alias|0d|alice|x", "> lookup-result|0d|found|bob",
        f"< {HEAD}|fetch|source|0e", "> fetch-result|0e|found|192.0.2.1",
        f"< {HEAD}|update|0f", "> update-result|0f|error|bad",
        ">!lookup-result|0f|found|***", ">!***",
    ]  # fmt: skip


@chunks
def test_line_feeds_in_the_key_of_a_login(chunk: int | None) -> None:
    assert kept(
        f"< {HEAD}|check|auth|0a|alice", f"< {HEAD}|lookup|alias|0b|x:secret", "< config|secret",
        "> check-result|0a|not-found", f"< {HEAD}|lookup|alias|0c|bob",
        chunk=chunk,
    ) == [
        f"<!{HEAD}|check|auth|0a|***", "<!***", "<!***",
        "> check-result|0a|not-found", f"< {HEAD}|lookup|alias|0c|bob",
    ]  # fmt: skip


def test_line_feeds_in_another_key() -> None:
    assert kept(f"< {HEAD}|lookup|mailaddrmap|0a|al", "< ice") == [
        f"< {HEAD}|lookup|mailaddrmap|0a|al",
        "<!***",
    ]


def test_what_follows_a_loss_may_be_a_login() -> None:
    clean = TableRedaction()
    clean.lost(Speaker.SMTPD)
    request = f"{HEAD}|lookup|alias|0a|x:secret\n".encode()
    assert clean.feed(S, b"rest\n" + request) == [(b"***\n", True)]
    assert clean.feed(P, b"check-result|09|found\n") == [(b"check-result|09|found\n", False)]
    assert clean.feed(S, request) == [(request, False)]


@chunks
def test_addresses(chunk: int | None) -> None:
    assert kept(
        f"< {HEAD}|lookup|alias|0d|alice", "> lookup-result|0d|found|bob",
        f"< {HEAD}|check|domain|0e|x", "> check-result|0e|not-found",
        chunk=chunk, addresses=False,
    ) == [
        f"<!{HEAD}|lookup|alias|0d|***", ">!lookup-result|0d|found|***",
        f"<!{HEAD}|check|domain|0e|***", "> check-result|0e|not-found",
    ]  # fmt: skip
