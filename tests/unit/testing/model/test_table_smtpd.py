"""The model of smtpd's side of tables, against the verdicts of a running smtpd 7.6."""

from collections.abc import Callable

import pytest

from opensmtpd.table import Service
from opensmtpd.testing import Fatal, TableSmtpd

HELLO = b"config|smtpd-version|7.9.0\nconfig|protocol|0.1\nconfig|tablename|aliases\nconfig|ready\n"
EVERYTHING = b"".join(b"register|%s\n" % service.encode() for service in Service)

Write = Callable[[TableSmtpd, bytes], None]


def whole(smtpd: TableSmtpd, data: bytes) -> None:
    smtpd.receive(data)


def bytewise(smtpd: TableSmtpd, data: bytes) -> None:
    for at in range(len(data)):
        smtpd.receive(data[at : at + 1])


@pytest.fixture(params=[whole, bytewise], ids=["whole", "bytewise"])
def write(request: pytest.FixtureRequest) -> Write:
    chosen: Write = request.param
    return chosen


@pytest.fixture
def smtpd() -> TableSmtpd:
    """One that has shaken hands."""
    model = TableSmtpd()
    assert model.data_to_send() == HELLO
    model.receive(EVERYTHING + b"register|ready\n")
    return model


# --- the handshake --------------------------------------------------------------------------------


def test_what_was_registered(write: Write) -> None:
    smtpd = TableSmtpd()
    write(smtpd, b"register|alias\nregister|auth\n")
    assert not smtpd.ready
    write(smtpd, b"register|ready\n")
    assert smtpd.ready
    assert smtpd.services == {"alias", "auth"}


@pytest.mark.parametrize("name", [service.value for service in Service])
def test_every_service_can_be_registered(name: str) -> None:
    smtpd = TableSmtpd()
    smtpd.receive(f"register|{name}\nregister|ready\n".encode())
    assert smtpd.services == {name}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"register|ready\n", "no services registered"),
        (b"register|bogus\n", "unknown service"),
        (b"register|\n", "unknown service"),
        (b"register|alias\r\n", "unknown service"),
        (b"register\n", "invalid handshake reply"),
        (b"hello\n", "invalid handshake reply"),
        (b"\n", "invalid handshake reply"),
        (b"lookup-result|0|found|x\n", "invalid handshake reply"),
    ],
)
def test_handshakes_that_smtpd_dies_of(said: bytes, reason: str, write: Write) -> None:
    with pytest.raises(Fatal) as caught:
        write(TableSmtpd(), said)
    assert caught.value.reason == reason


def test_a_version_that_is_none() -> None:
    with pytest.raises(ValueError, match="is no version"):
        TableSmtpd("latest")


# --- requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (
            ("lookup", "alias", "a|b"),
            b"table|0.1|1795335705.000001|aliases|lookup|alias|9e3779b1|a|b\n",
        ),
        (
            ("check", "domain", "Example.ORG"),
            b"table|0.1|1795335705.000001|aliases|check|domain|9e3779b1|example.org\n",
        ),
        (
            ("check", "auth", "Alice:PassWord"),
            b"table|0.1|1795335705.000001|aliases|check|auth|9e3779b1|Alice:PassWord\n",
        ),
        (
            ("lookup", "alias", "\udcff\xc9"),
            b"table|0.1|1795335705.000001|aliases|lookup|alias|9e3779b1|\xff\xc3\x89\n",
        ),
        (("fetch", "source"), b"table|0.1|1795335705.000001|aliases|fetch|source|9e3779b1\n"),
        (("update",), b"table|0.1|1795335705.000001|aliases|update|9e3779b1\n"),
    ],
)
def test_what_smtpd_sends(smtpd: TableSmtpd, asked: tuple[str, ...], line: bytes) -> None:
    smtpd.ask(*asked)
    assert smtpd.data_to_send() == line
    assert smtpd.data_to_send() == b""


def test_before_7_9_passwords_are_lower_cased() -> None:
    smtpd = TableSmtpd("7.8.0")
    smtpd.data_to_send()
    smtpd.receive(EVERYTHING + b"register|ready\n")
    smtpd.ask("check", "auth", "Alice:PassWord")
    assert smtpd.data_to_send().endswith(b"|alice:password\n")


@pytest.mark.parametrize("key", ["a\nb", "a\rb", "a\0b", "x" * 1024, "\xe9" * 512])
def test_keys_that_smtpd_does_not_ask_for(smtpd: TableSmtpd, key: str) -> None:
    with pytest.raises(ValueError, match="such a key"):
        smtpd.ask("lookup", "alias", key)
    smtpd.ask("lookup", "alias", "x" * 1023)


def test_before_7_9_a_line_feed_in_a_key_is_sent_as_it_is() -> None:
    smtpd = TableSmtpd("7.6.0-portable")
    smtpd.data_to_send()
    smtpd.receive(EVERYTHING + b"register|ready\n")
    smtpd.ask("lookup", "credentials", "a\r\nb")
    assert smtpd.data_to_send().endswith(b"|lookup|credentials|9e3779b1|a\r\nb\n")
    with pytest.raises(ValueError, match="such a key"):
        smtpd.ask("lookup", "credentials", "a\0b")


def test_requests_that_smtpd_does_not_send(smtpd: TableSmtpd) -> None:
    with pytest.raises(ValueError, match="knows no delete"):
        smtpd.ask("delete", "alias", "x")
    with pytest.raises(ValueError, match="does not ask this table for bogus"):
        smtpd.ask("lookup", "bogus", "x")
    with pytest.raises(ValueError, match="does not ask this table for update"):
        TableSmtpd().ask("update")


# --- answers --------------------------------------------------------------------------------------

LOOKUP = ("lookup", "alias", "alice")
CHECK = ("check", "domain", "example.org")
FETCH = ("fetch", "source")
UPDATE = ("update",)
ID = b"9e3779b1"


@pytest.mark.parametrize(
    ("asked", "said", "answer"),
    [
        (LOOKUP, b"lookup-result|9e3779b1|found|a|b", ("found", "a|b")),
        (LOOKUP, b"lookup-result|9e3779b1|found|a\r", ("found", "a\r")),
        (LOOKUP, b"lookup-result|9e3779b1|found|" + b"x" * 5000, ("found", "x" * 5000)),
        (LOOKUP, b"lookup-result|9e3779b1|found|a\0b", ("found", "a")),
        (LOOKUP, b"lookup-result|9e3779b1|found|\xff\xc3\xa9", ("found", "\udcff\xe9")),
        (LOOKUP, b"lookup-result|9e3779b1|not-found", ("not-found", "")),
        (LOOKUP, b"lookup-result|9e3779b1|error", ("error", "")),
        (LOOKUP, b"lookup-result|9e3779b1|error|", ("error", "")),
        (LOOKUP, b"lookup-result|9e3779b1|error|no|way", ("error", "no|way")),
        (CHECK, b"check-result|9e3779b1|found", ("found", "")),
        (CHECK, b"check-result|9e3779b1|not-found", ("not-found", "")),
        (CHECK, b"check-result|9e3779b1|error|x", ("error", "x")),
        (FETCH, b"fetch-result|9e3779b1|found|::1", ("found", "::1")),
        (FETCH, b"fetch-result|9e3779b1|not-found", ("not-found", "")),
        (FETCH, b"fetch-result|9e3779b1|error", ("error", "")),
        (UPDATE, b"update-result|9e3779b1|ok", ("ok", "")),
        (UPDATE, b"update-result|9e3779b1|error", ("error", "")),
        (UPDATE, b"update-result|9e3779b1|error|x", ("error", "x")),
    ],
)
def test_answers_that_smtpd_takes(
    smtpd: TableSmtpd, asked: tuple[str, ...], said: bytes, answer: tuple[str, str], write: Write
) -> None:
    smtpd.ask(*asked)
    write(smtpd, said)
    assert smtpd.answers == []
    write(smtpd, b"\n")
    assert smtpd.answers == [answer]
    assert not smtpd.waiting


@pytest.mark.parametrize(
    ("asked", "said", "reason"),
    [
        (LOOKUP, b"lookup-result|9e3779b1|found|", "empty response"),
        (LOOKUP, b"lookup-result|9e3779b1|found|\0x", "empty response"),
        (LOOKUP, b"lookup-result|9e3779b1|found", "failed to parse reply"),
        (LOOKUP, b"lookup-result|9e3779b1|not-found\r", "failed to parse reply"),
        (LOOKUP, b"lookup-result|9e3779b1|not-found|x", "failed to parse reply"),
        (LOOKUP, b"lookup-result|9e3779b1|", "failed to parse reply"),
        (LOOKUP, b"lookup-result|9e3779b1", "failed to parse reply"),
        (LOOKUP, b"lookup-result|00000000|found|x", "failed to parse reply"),
        (LOOKUP, b"lookup-result|9e3779b10|found|x", "failed to parse reply"),
        (LOOKUP, b"check-result|9e3779b1|found", "failed to parse reply"),
        (LOOKUP, b"lookup-result|9e3779b1|ok", "failed to parse reply"),
        (LOOKUP, b"lookup-result|9e3779b1|errors", "failed to parse reply"),
        (LOOKUP, b"debug", "failed to parse reply"),
        (LOOKUP, b"", "failed to parse reply"),
        (LOOKUP, b"register|alias", "failed to parse reply"),
        (CHECK, b"lookup-result|9e3779b1|found|x", "failed to parse reply"),
        (CHECK, b"check-result|9e3779b1|found|x", "failed to parse reply"),
        (FETCH, b"lookup-result|9e3779b1|found|::1", "failed to parse reply"),
        (FETCH, b"fetch-result|9e3779b1|found|", "empty response"),
        (UPDATE, b"update-result|9e3779b1|ko", "failed to parse reply"),
        (UPDATE, b"update-result|9e3779b1|ok|x", "failed to parse reply"),
        (UPDATE, b"update-result|9e3779b1|found", "failed to parse reply"),
    ],
)
def test_answers_that_smtpd_dies_of(
    smtpd: TableSmtpd, asked: tuple[str, ...], said: bytes, reason: str, write: Write
) -> None:
    smtpd.ask(*asked)
    with pytest.raises(Fatal) as caught:
        write(smtpd, said + b"\n")
    assert (caught.value.reason, caught.value.line) == (reason, said)


def test_a_raw_line_feed_in_a_value(smtpd: TableSmtpd) -> None:
    smtpd.ask(*LOOKUP)
    with pytest.raises(Fatal, match="an answer to nothing"):
        smtpd.receive(b"lookup-result|9e3779b1|found|a\nb\n")


def test_a_second_answer(smtpd: TableSmtpd) -> None:
    smtpd.ask(*LOOKUP)
    smtpd.receive(b"lookup-result|9e3779b1|found|a\n")
    with pytest.raises(Fatal, match="an answer to nothing"):
        smtpd.receive(b"lookup-result|9e3779b1|found|a\n")


def test_requests_sent_at_once_are_answered_in_their_order(smtpd: TableSmtpd) -> None:
    smtpd.ask(*LOOKUP)
    smtpd.ask(*CHECK)
    first, second = smtpd.waiting
    assert first.id != second.id
    answers = [
        f"lookup-result|{first.id}|found|a\n".encode(),
        f"check-result|{second.id}|not-found\n".encode(),
    ]
    with pytest.raises(Fatal):
        smtpd.receive(answers[1])
    smtpd.receive(answers[0] + answers[1])
    assert smtpd.answers == [("found", "a"), ("not-found", "")]
