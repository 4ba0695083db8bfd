"""Check names of users, aliases and domains: smtpd must be able to ask for them.

Each function returns the text as it is stored, or raises ConfigError with the reason.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from opensmtpd.errors import ConfigError
from opensmtpd.table import lower
from opensmtpd.table.limits import HOME_MAX
from opensmtpd_cli.plugin import table_values
from opensmtpd_cli.terminal import shown

_LOCAL = re.compile(r"[A-Za-z0-9!#%&'*/?^~+=_.-]*")  # MAILADDR_ALLOWED, and what is alphanumeric
_LABEL = re.compile(r"[A-Za-z0-9*_-]{1,63}")
_DOMAIN_MAX = 253


def checked_user(name: str) -> str:
    """Check the name of a user, who may be called like an address."""
    reason = ""
    if not name:
        reason = "is empty"
    elif ":" in name:
        reason = "holds a colon, which ends the name in smtpd's user:password"
    elif table_values.size(name) > table_values.NAME_MAX:
        reason = f"has more than {table_values.NAME_MAX} bytes"
    elif any(char.isspace() or not char.isprintable() for char in name):
        reason = "holds white space or what does not print"
    if reason:
        raise ConfigError(f"the user name {_quoted(name)} {reason}")
    return lower(name)


def checked_domain(name: str) -> str:
    """Check a domain, or a pattern with ``*`` (table(5)), or an address as ``[192.0.2.1]``."""
    reason = ""
    if name.startswith("[") and name.endswith("]"):
        try:
            ip_address(re.sub("^ipv6:", "", name[1:-1], flags=re.IGNORECASE))
        except ValueError:
            reason = "is no address"
    elif name.endswith("."):
        reason = "ends in a dot, which smtpd does not accept in an address"
    elif not name.isascii():
        reason = "is not ASCII: give it as it stands in the DNS (xn--...)"
    elif len(name) > _DOMAIN_MAX:
        reason = f"has more than {_DOMAIN_MAX} bytes"
    elif not all(_LABEL.fullmatch(label) for label in name.split(".")):
        reason = "is no domain name"
    if reason:
        raise ConfigError(f"{_quoted(name)} {reason}")
    return lower(name)


def checked_alias(name: str) -> str:
    """Check the name of an alias: ``user``, ``user@domain``, ``@domain`` or ``@``."""
    local, at, rest = name.rpartition("@") if "@" in name else (name, "", "")
    reason = ""
    if not name:
        reason = "is empty"
    elif not _LOCAL.fullmatch(local):
        reason = "holds what smtpd accepts in no address"
    elif table_values.size(local) > table_values.NAME_MAX:
        reason = f"has more than {table_values.NAME_MAX} bytes before the @"
    elif "*" in rest:
        reason = "has a pattern for a domain, which smtpd would take for a name"
    if reason:
        raise ConfigError(f"the alias {_quoted(name)} {reason}")
    return lower(local) + at + (checked_domain(rest) if rest else "")


def checked_destinations(given: Sequence[str], force: bool) -> str:
    """Check the destinations of an alias; return them as one value. ``force`` allows programs."""
    value = ", ".join(given)
    try:
        found = table_values.alias(value)
    except ValueError as error:
        raise ConfigError(f"smtpd could not read this: {error}") from None
    if not found:
        raise ConfigError("an alias without a destination")
    if any(not char.isprintable() and not "\udc80" <= char <= "\udcff" for char in value):
        raise ConfigError("a destination holds what does not print")
    for kind, text, source in found:
        if kind == "user" and text != source:
            reason = f"smtpd would deliver {_quoted(source)} to the user {text}, for the domain"
            raise ConfigError(f"{reason} holds what it does not accept")
        if kind == "program" and not force:
            reason = f"{_quoted(source)} is a program, which smtpd runs for each mail, as the user"
            raise ConfigError(reason, remedy="give --force if that is meant")
    return value


def checked_home(path: str) -> str:
    """Check a home directory."""
    if not path.startswith("/") or table_values.size(path) > HOME_MAX or not path.isprintable():
        raise ConfigError(f"{_quoted(path)} is no path of a directory that begins with /")
    return path


def _quoted(name: str) -> str:
    return f"'{shown(name)[:80]}'"
