"""filter-rspamd in front of several servers, of TLS, of unix sockets, and of servers that fail."""

import ssl
from pathlib import Path

import pytest

from opensmtpd.testing import run_message
from unit.support import certificates
from unit.support.fake_rspamd import FakeRspamd, http
from unit.support.rspamd_mail import MESSAGE, NEW_SESSION, TEMPFAIL, make

LARGE = b"Subject: large\n\n" + b"x" * 99 * 1 + b"\n" + (b"y" * 99 + b"\n") * 10_000


@pytest.fixture
def gone() -> str:
    """The URL of a server that is not there any more."""
    server = FakeRspamd()
    server.close()
    return server.url


# --- several servers ------------------------------------------------------------------------------


def test_the_first_one_is_asked() -> None:
    with FakeRspamd() as first, FakeRspamd() as second:
        filter = make(first.url, second.url)
        for _ in range(3):
            assert run_message(filter, MESSAGE).accepted
    assert (first.connections, second.connections) == (3, 0)


@pytest.mark.parametrize("message", [MESSAGE, LARGE], ids=["small", "large"])
def test_the_next_one_is_asked_where_the_first_is_away(gone: str, message: bytes) -> None:
    with FakeRspamd() as second:
        filter = make(gone, second.url)
        first, later = (run_message(filter, message) for _ in range(2))
    assert first.log == (
        f'server-away server={gone} reason="Connection refused"',
        f'{NEW_SESSION}rspamd action="no action" score=0.00 required=15.00 url={second.url}',
    )
    assert later.log == first.log[1:]  # it rests, and nobody asks it
    assert [each.body for each in second.scanned] == [first.message, later.message]


def test_a_server_that_is_back() -> None:
    port = 0
    with FakeRspamd() as gone, FakeRspamd() as second:
        port = gone.place[1]
        gone.close()
        filter = make(gone.url, second.url)
        run_message(filter, MESSAGE)
        with FakeRspamd(at=("127.0.0.1", port)) as back:
            filter.scanner.servers._until[0] = 0.0  # it has rested
            outcomes = [run_message(filter, MESSAGE) for _ in range(2)]
            assert back.connections == 2
    assert [outcome.log[0] for outcome in outcomes] == [
        f"server-back server={gone.url}",
        f'{NEW_SESSION}rspamd action="no action" score=0.00 required=15.00 url={gone.url}',
    ]
    assert second.connections == 1


def test_where_all_are_away_each_is_asked(gone: str, tmp_path: Path) -> None:
    other = str(tmp_path / "none")
    filter = make(gone, other)
    outcome = run_message(filter, MESSAGE)
    assert outcome.reply == TEMPFAIL
    assert outcome.log == (
        f'server-away server={gone} reason="Connection refused"',
        f'server-away server={other} reason="No such file or directory"',
        f'{NEW_SESSION}rspamd-failed reason="No such file or directory" url={other}'
        " action=tempfail",
    )
    assert run_message(filter, MESSAGE).log == outcome.log[2:]


def test_a_server_that_says_nothing_leaves_time_for_the_next() -> None:
    with FakeRspamd(None) as first, FakeRspamd() as second:
        filter = make(first.url, second.url, line="--timeout 6")
        outcome = run_message(filter, MESSAGE)
    assert outcome.accepted
    assert outcome.log[0] == f'server-away server={first.url} reason="it does not answer in time"'
    assert len(second.scanned) == 1


@pytest.mark.parametrize("message", [MESSAGE, LARGE], ids=["small", "large"])
def test_a_server_that_says_nothing(message: bytes) -> None:
    with FakeRspamd(None) as server:
        outcome = run_message(make(server.url, line="--timeout 0.3"), message)
    assert outcome.reply == TEMPFAIL
    assert outcome.log[-1] == (
        f'{NEW_SESSION}rspamd-failed reason="it does not answer in time" url={server.url}'
        " action=tempfail"
    )


@pytest.mark.parametrize("taken", [0, 1, 300, 200_000, 1_000_000])
def test_a_server_that_closes_amid_the_message(taken: int) -> None:
    with FakeRspamd(closes_after=taken) as first, FakeRspamd() as second:
        outcome = run_message(make(first.url, second.url), LARGE)
    assert outcome.accepted
    assert [each.body for each in second.scanned] == [outcome.message]
    assert outcome.log[0].startswith(f"server-away server={first.url} reason=")


def test_a_server_that_refuses_a_message_is_well() -> None:
    with FakeRspamd(http(b"", b"400 Bad")) as first, FakeRspamd() as second:
        filter = make(first.url, second.url)
        outcomes = [run_message(filter, MESSAGE) for _ in range(2)]
    assert [len(outcome.log) for outcome in outcomes] == [1, 1]
    assert (len(first.scanned), len(second.scanned)) == (2, 2)


def test_all_urls_are_kept_in_their_order(tmp_path: Path) -> None:
    urls = ["http://localhost:11333", str(tmp_path / "a"), "https://[::1]/x"]
    servers = make(*urls).scanner.servers
    assert [servers.name(index) for index in range(len(servers))] == urls


# --- places ---------------------------------------------------------------------------------------


def test_a_unix_socket(tmp_path: Path) -> None:
    with FakeRspamd(path=str(tmp_path / "s")) as server:
        outcome = run_message(make(server.url), LARGE)
    assert outcome.accepted
    assert server.scanned[0].body == outcome.message


def test_a_name_of_this_host() -> None:
    with FakeRspamd() as server:
        assert run_message(make(f"http://localhost:{server.place[1]}"), MESSAGE).accepted
    assert server.scanned[0].values(b"Host") == [b"localhost:%d" % server.place[1]]


@pytest.mark.parametrize("name", ["x" * 70 + ".example", "missing.invalid"])
def test_a_name_that_does_not_resolve(name: str) -> None:
    """The labels of the first one are too long for the DNS, which may say nothing of the other."""
    outcome = run_message(make(f"http://{name}", line="--timeout 2"), MESSAGE)
    assert outcome.reply == TEMPFAIL
    assert outcome.log[0].startswith(f"server-away server=http://{name} reason=")


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate of localhost, which is its own authority, and its key."""
    path = tmp_path_factory.mktemp("tls") / "pem"
    text = certificates.certificate("localhost") + certificates.key_pem(certificates.KEY)
    path.write_bytes(text)
    return path


def server_side(pem: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)
    return made


def test_a_certificate_that_the_system_trusts(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with FakeRspamd(context=server_side(pem)) as server:
        filter = make(f"https://localhost:{server.place[1]}")
        for message in (MESSAGE, LARGE):
            outcome = run_message(filter, message)
            assert outcome.accepted
            assert server.scanned[-1].body == outcome.message


@pytest.mark.parametrize(
    ("host", "trusted", "words"),
    [
        ("localhost", False, "self-signed certificate"),
        ("127.0.0.1", True, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
)
def test_a_certificate_that_is_refused(
    pem: Path, host: str, trusted: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with FakeRspamd(context=server_side(pem)) as server:
        outcome = run_message(make(f"https://{host}:{server.place[1]}"), MESSAGE)
    assert outcome.reply == TEMPFAIL
    assert f'rspamd-failed reason="its certificate is refused: {words}"' in outcome.log[-1]
    assert server.scanned == []
