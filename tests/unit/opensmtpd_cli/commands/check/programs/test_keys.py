"""The keys of tables: each that is named is one that its program knows."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from opensmtpd.backends.ldap import config as ldap
from opensmtpd.backends.mysql import config as mysql
from opensmtpd.backends.postgres import config as postgres
from opensmtpd.backends.redis import config as redis
from opensmtpd.backends.sqlite import config as sqlite
from opensmtpd.errors import ConfigError
from opensmtpd_cli.commands.check.programs.keys import KNOWN

READERS: dict[str, Callable[[str], object]] = {
    "table-ldap": ldap.read,
    "table-mysql": mysql.read,
    "table-postgres": postgres.PostgresBackend,
    "table-redis": redis.read,
    "table-sqlite": sqlite.read,
}


def known(program: str, key: str, place: Path, capfd: pytest.CaptureFixture[str]) -> bool:
    """Return whether a program knows a key: whatever it says of the value."""
    conf = place / "conf"
    conf.write_text(f"{key} no\n")
    with suppress(ConfigError):
        READERS[program](str(conf))
    return "it is unknown" not in capfd.readouterr().err


@pytest.mark.parametrize("program", READERS)
def test_each_is_known_to_its_program(
    program: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert [key for key in KNOWN[program] if not known(program, key, place, capfd)] == []
    assert not known(program, "colour", place, capfd)


@pytest.mark.parametrize("program", READERS)
def test_each_that_its_manual_page_names_is_here(program: str) -> None:
    page = Path(__file__).parents[6] / f"packaging/man/{program}.5"
    text = page.read_text().partition(".Ss Configuration file")[2].partition("\n.Ss ")[0]
    items = [line for line in text.splitlines() if line.startswith(".It Ic ")]
    named = {key for line in items for key in re.findall(r"(?:Ic|,) ([a-z_0-9.]+)(?= |$)", line)}
    assert {key for key in named if not key.endswith("_")} <= {*KNOWN[program]}
