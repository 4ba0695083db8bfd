"""The smtpd that can run the tables of this suite: 7.6 and later.

Those before speak a binary protocol with tables (imsg). Such an smtpd and a table of today wait for
each other, without a word in the log, and no client gets an answer.
"""

from opensmtpd.errors import ConfigError
from opensmtpd_cli.system.smtpd_binary import installed_version

TABLES_SINCE = (7, 6)
_FAULT = "speaks another protocol with tables: it would wait for them for ever, with all mail"
REMEDY = "install smtpd 7.6 or later for tables; filters work with this one"


def lacking(version: tuple[int, ...]) -> str:
    """Return why an smtpd of this version cannot use tables; "" where it can."""
    major, minor, *_ = version
    return f"smtpd {major}.{minor} {_FAULT}" if version < TABLES_SINCE else ""


def installed_lacking() -> str:
    """Return why the installed smtpd cannot use tables; "" where it can, or there is none."""
    installed = installed_version()
    return lacking(installed) if installed else ""


def demand() -> None:
    """Raise ConfigError where the installed smtpd cannot use tables."""
    if fault := installed_lacking():
        raise ConfigError(fault, remedy=REMEDY)
