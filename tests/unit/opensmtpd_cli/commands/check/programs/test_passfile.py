"""A file of passwords that libpq does not use."""

import os
from pathlib import Path

import pytest

from opensmtpd_cli.commands.check.finding import Finding, Severity
from opensmtpd_cli.commands.check.programs.passfile import ignored
from opensmtpd_cli.plugin.start import Account

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

PLACE = ("/etc/smtpd.conf", 3)
DAEMON = Account(1, 1, [1])


def found(place: Path) -> list[Finding]:
    place.chmod(0o755)
    conf = place / "conf"
    conf.write_text(f"conninfo host=db passfile={place}/secret\n")
    return list(ignored(PLACE, "table t", str(conf), DAEMON))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_one_that_others_can_read(place: Path, mode: int) -> None:
    secret = place / "secret"
    secret.touch()
    secret.chmod(mode)
    os.chown(secret, 1, 1)
    assert found(place) == [
        Finding(
            Severity.WARNING,
            "passfile-ignored",
            *PLACE,
            f"table t names passfile {secret}, which libpq passes over: it must be for its owner "
            "alone",
            "The server is asked without a password, and says no where it wants one.",
            f"chown daemon {secret} && chmod 600 {secret}",
        )
    ]


def test_one_that_smtpds_user_cannot_read(place: Path) -> None:
    (place / "secret").touch(0o600)
    ((fault,), code) = ([each.fault for each in found(place)], found(place)[0].code)
    assert fault.endswith("which libpq passes over: user daemon cannot read it")
    assert code == "passfile-ignored"


def test_one_that_is_used(place: Path) -> None:
    (place / "secret").touch(0o600)
    os.chown(place / "secret", 1, 1)
    assert found(place) == []


def test_one_that_is_not_there(place: Path) -> None:
    assert found(place) == []
