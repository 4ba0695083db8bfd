"""The handshake as smtpd sees it: the lines that it dies of, and those that it takes.

Each row was tried on smtpd 6.8.0p2, 7.6.0p1 and 7.9.0p0; the model must say the same, however the
bytes are cut.
"""

import pytest

from opensmtpd.testing import Fatal, Smtpd
from opensmtpd.testing.model.registry import RELEASES, Registry, release
from unit.support.smtpd_steps import started
from unit.support.smtpd_walk import VERSIONS, Write


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"register|filter|smtp-in|bogus", "Unrecognized report name"),
        (b"register|report|smtp-in|bogus", "Unrecognized report name"),
        (b"register|filter|smtp-out|data", "Invalid message direction"),
        (b"register|report|smtp|timeout", "Invalid message direction"),
        (b"register|report|SMTP-IN|timeout", "Invalid message direction"),
        (b"register|bogus", "Invalid register line received"),
        (b"register|ready\r", "Invalid register line received"),
        (b"register|filter|smtp-in|data\r", "Unrecognized report name"),
        (b"hello", "Non-register message before register|ready"),
        (b"", "Non-register message before register|ready"),
        (b"filter-result|1|2|proceed", "Non-register message before register|ready"),
    ],
)
def test_handshake_deaths(version: str, line: bytes, reason: str, write: Write) -> None:
    model = Smtpd(version)
    with pytest.raises(Fatal) as death:
        write(model, line + b"\n")
    assert death.value.reason == reason
    assert death.value.line == line


def test_wiz_is_gone_in_7_9(write: Write) -> None:
    line = b"register|filter|smtp-in|wiz\n"
    write(Smtpd("6.8.0"), line)
    write(Smtpd("7.6.0"), line)
    with pytest.raises(Fatal, match="Unrecognized report name"):
        write(Smtpd("7.9.0"), line)


@pytest.mark.parametrize("version", VERSIONS)
def test_registrations_accepted(version: str, write: Write) -> None:
    model = Smtpd(version)
    write(
        model,
        b"register|report|smtp-in|*\nregister|report|smtp-out|link-connect\n"
        b"register|filter|SMTP-IN|data\nregister|ready\n",
    )
    assert model.ready
    assert len(model.events) == 19
    assert model.phases == {"data"}


def test_registering_late_is_accepted(smtpd: Smtpd, write: Write) -> None:
    write(smtpd, b"register|report|smtp-in|timeout\nregister|ready\n")
    assert smtpd.ready


def test_unknown_version() -> None:
    with pytest.raises(ValueError, match="no model of smtpd 5"):
        Smtpd("5.9.0")


def test_a_phase_registered_after_ready_is_never_asked() -> None:
    smtpd = started(phases=b"data")
    smtpd.receive(b"register|filter|smtp-in|connect\n")
    assert not smtpd.connect().waiting


# --- the registry by itself -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "smtpd_version"),
    [
        ("6.8", "6.8.0p2"),
        ("6.8.0p2", "6.8.0p2"),
        ("7.6.0", "7.6.0-portable"),
        ("7.6.1-portable", "7.6.0-portable"),
        ("7.9.0-portable", "7.9.0-portable"),
    ],
)
def test_releases_by_the_names_that_they_give_themselves(version: str, smtpd_version: str) -> None:
    assert release(version).smtpd_version == smtpd_version


@pytest.mark.parametrize("version", ["", "7", "7.7.0", "portable", "17.6.0"])
def test_releases_that_there_are_not(version: str) -> None:
    with pytest.raises(ValueError, match=r"; there are 6\.8\.0, 7\.6\.0, 7\.9\.0$"):
        release(version)


def test_what_a_filter_wants_to_hear() -> None:
    some = Registry(RELEASES["7.6.0"])
    assert not some.hears("timeout")
    some.register(b"register|report|smtp-out|timeout")
    assert not some.hears("timeout")
    some.register(b"register|report|smtp-in|timeout")
    assert some.hears("timeout")
    assert not some.hears("tx-mail")
    some.register(b"register|report|smtp-in|*")
    assert some.hears("tx-mail")
    assert not some.hears("*")


def test_the_chains_are_those_of_the_first_ready() -> None:
    some = Registry(RELEASES["7.6.0"])
    some.register(b"register|filter|smtp-in|data")
    assert some.asked("data")
    assert not some.ready
    some.register(b"register|ready")
    some.register(b"register|filter|smtp-in|commit")
    some.register(b"register|ready")
    assert some.ready
    assert (some.asked("data"), some.asked("commit")) == (True, False)
    assert some.phases == {"data", "commit"}
