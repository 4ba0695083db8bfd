import pytest

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.filter import PROCEED, Decision, Filter, Session
from opensmtpd.testing import Fatal, Transcript, replay
from opensmtpd.testing.model.judge import AskedRequest

TEXT = b"""\
< config|smtpd-version|7.6.0-portable
< config|protocol|0.7
< config|ready
> register|ready
# a remark
< report|0.7|1795335705.1|smtp-in|link-connect|1718c5e591926d28|localhost|pass|[::1]:1|[::1]:25
< filter|0.7|1795335705.2|smtp-in|ehlo|1718c5e591926d28|1f08300f797e0822|c1.example
> filter-result|1718c5e591926d28|1f08300f797e0822|proceed
< filter|0.7|1795335705.3|smtp-in|noop|1718c5e591926d28|1f08300f797e0823|
< report|0.7|1795335705.4|smtp-in|link-disconnect|1718c5e591926d28
"""
SESSION, TOKEN = b"1718c5e591926d28", b"1f08300f797e0822"


class Helo(Filter):
    def on_helo(self, session: Session, request: object) -> Decision:
        return PROCEED


class Canned:
    """A plugin that registers for EHLO and says the same to every request."""

    def __init__(self, says: bytes) -> None:
        self.says, self.out = says, b""

    @property
    def dispatcher(self) -> "Canned":
        return self

    def receive(self, data: bytes, now: float) -> None:
        if b"config|ready\n" in data:
            self.out += b"register|filter|smtp-in|ehlo\nregister|ready\n"
        if b"filter|" in data:
            self.out += self.says

    def data_to_send(self) -> bytes:
        out, self.out = self.out, b""
        return out

    def take_jobs(self) -> list[object]:
        return []

    def waiting(self) -> bool:
        return False

    def resolve(self, job: object, result: object) -> None: ...

    def fail(self, job: object, error: BaseException) -> None: ...


def test_sides() -> None:
    transcript = Transcript.parse(TEXT)
    assert len(transcript.smtpd) == 7
    assert transcript.smtpd[2] == b"config|ready"
    assert transcript.plugin == [
        b"register|ready",
        b"filter-result|1718c5e591926d28|1f08300f797e0822|proceed",
    ]
    assert transcript.version == "7.6.0-portable"


def test_lines_that_are_no_recording() -> None:
    with pytest.raises(ValueError, match="line 2 begins with neither"):
        Transcript.parse(b"< config|ready\nconfig|ready\n")
    with pytest.raises(ValueError, match="does not say which smtpd"):
        _ = Transcript.parse(b"< config|ready\n").version


@pytest.mark.parametrize("chunk", [None, 1, 50, 100000])
def test_only_what_is_registered_is_replayed(chunk: int | None) -> None:
    result = replay(Transcript.parse(TEXT), FilterConnection(Helo()), chunk=chunk)
    assert result.answers == [(SESSION, TOKEN, "ehlo", b"proceed")]
    assert result.of(SESSION) == result.answers
    assert result.of(TOKEN) == []
    assert result.written.endswith(
        b"register|ready\nfilter-result|1718c5e591926d28|1f08300f797e0822|proceed\n"
    )


def test_silence_is_seen() -> None:
    result = replay(Transcript.parse(TEXT), Canned(b""))
    assert result.unanswered == [AskedRequest(SESSION, "ehlo", TOKEN)]


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (b"hello\n", "Invalid filter message type"),
        (b"filter-result|%s|%s|what\n" % (SESSION, TOKEN), "Missing parameter"),
        (b"filter-result|%s|%s|proceed\n" % (SESSION, SESSION), "misbehaving filter"),
        (b"filter-result|%s|%s|proceed\n" % (SESSION, TOKEN) * 2, "second answer"),
        (b"filter-dataline|%s|%s|x\n" % (SESSION, TOKEN), "out of dataline phase"),
    ],
)
def test_fatal_answers_are_seen(says: bytes, reason: str) -> None:
    with pytest.raises(Fatal, match=reason):
        replay(Transcript.parse(TEXT), Canned(says))


def test_a_plugin_that_never_gets_ready() -> None:
    class Silent(Canned):
        def receive(self, data: bytes, now: float) -> None: ...

    with pytest.raises(ValueError, match="does not end its registration"):
        replay(Transcript.parse(TEXT), Silent(b""))
