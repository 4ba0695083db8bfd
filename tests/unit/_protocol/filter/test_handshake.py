"""The handshake: what is asked for, in which version, and until when answers are of use."""

import pytest

from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.filter.handshake import Handshake
from opensmtpd.errors import LocalError, ProtocolError, VersionError
from opensmtpd.filter import PROCEED, Connect, Filter, LinkAuth, PhaseDecision, Session


class Some(Filter):
    uses = ("sender",)

    def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
        return PROCEED

    def on_link_auth(self, session: Session, report: LinkAuth) -> None:
        pass


def handshake(filter: Filter | None = None, deadline: float = 60.0) -> tuple[Handshake, Dispatcher]:
    dispatcher = Dispatcher(deadline, lambda *_, **__: None)
    return Handshake(filter or Some(), dispatcher), dispatcher


def test_only_the_last_line_is_answered_and_only_once() -> None:
    shake, _ = handshake()
    for line in (b"config|smtpd-version|7.6.0", b"config|no-such-key|x", b"config|", b"config"):
        assert shake.config(line) == b""
    assert not shake.ready
    assert shake.config(b"config|ready") == (
        b"register|report|smtp-in|link-disconnect\n"
        b"register|report|smtp-in|link-auth\n"
        b"register|report|smtp-in|tx-reset\n"
        b"register|report|smtp-in|tx-mail\n"
        b"register|filter|smtp-in|connect\n"
        b"register|ready\n"
    )
    assert shake.ready


@pytest.mark.parametrize(
    "line",
    [b"config|ready", b"config|smtp-session-timeout|10", b"config|protocol|0.5", b"config|x"],
)
def test_a_line_behind_the_last_one_counts_no_more(line: bytes) -> None:
    shake, dispatcher = handshake()
    shake.config(b"config|protocol|0.7")
    shake.config(b"config|ready")
    decoder = shake.decoder
    with pytest.raises(ProtocolError, match=r"a config line behind config\|ready"):
        shake.config(line)
    assert dispatcher.deadline == 60.0
    assert shake.decoder is decoder


@pytest.mark.parametrize(
    ("value", "deadline"), [(b"300", 60.0), (b"50", 40.0), (b"0", 1.0), (b"x", 60.0), (b"", 60.0)]
)
def test_the_deadline_ends_before_smtpd_gives_up(value: bytes, deadline: float) -> None:
    shake, dispatcher = handshake()
    shake.config(b"config|smtp-session-timeout|" + value)
    assert dispatcher.deadline == deadline


def test_the_administrative_domain() -> None:
    some = Some()
    shake, _ = handshake(some)
    assert some.admd == b""
    shake.config(b"config|admd|mx.example.org")
    assert some.admd == b"mx.example.org"


def test_a_version_too_old() -> None:
    shake, _ = handshake()
    with pytest.raises(VersionError, match=r"filter protocol 0\.4 is older than 0\.5"):
        shake.config(b"config|protocol|0.4")


def test_uses_is_checked_before_anything_is_said() -> None:
    class Wrong(Filter):
        uses = ("colour",)  # type: ignore[assignment]

    with pytest.raises(LocalError, match="colour"):
        handshake(Wrong())
