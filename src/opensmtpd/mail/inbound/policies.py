"""The administrator's own policies for domains: the file of ``--policy``, and protected domains."""

from collections.abc import Iterable, Mapping

from opensmtpd.dns.names import is_query_name
from opensmtpd.errors import ConfigError
from opensmtpd.mail.dkim.a_label import to_a_labels
from opensmtpd.table.file import TableFile, lines

POLICIES = ("none", "quarantine", "reject")
"""The actions that a policy asks for, the mildest first (RFC 9989 section 4.7)."""


def domain(text: str) -> str:
    """Return a domain in lower case, with A-labels, without a final dot. Raises ConfigError."""
    name = text.lower().rstrip(".")
    try:
        name = to_a_labels(name)
    except UnicodeEncodeError:
        name = ""
    if not is_query_name(name):
        raise ConfigError(f"{text!r} is no domain", remedy="write it as example.com")
    return name


def above(name: str) -> Iterable[str]:
    """Yield the domains that a domain is below, the nearest first."""
    while "." in name:
        name = name.partition(".")[2]
        yield name


def policies(paths: Iterable[str]) -> dict[str, str]:
    """Return the policy of each domain in the files; ``*.`` in front stands for its subdomains.

    Raises ConfigError for an unreadable file or a row without meaning.
    """
    found: dict[str, str] = {}
    for path in paths:
        for line, key, value in TableFile(lines(path), path):
            star = "*." if key.startswith("*.") else ""
            try:
                name = star + domain(key.removeprefix("*."))
            except ConfigError as error:
                raise ConfigError(
                    error.message, path=path, line=line, remedy=error.remedy
                ) from None
            if value not in POLICIES:
                remedy = f"write one of {', '.join(POLICIES)} behind the domain"
                raise ConfigError(f"{name} has no policy", path=path, line=line, remedy=remedy)
            found[name] = value
    return found


def policy_for(name: str, own: Mapping[str, str]) -> str | None:
    """Return the administrator's policy for a domain, None where there is none.

    The domain itself comes first, then the nearest one above it with a star.
    """
    if not own:
        return None
    if name in own:
        return own[name]
    return next((own[f"*.{each}"] for each in above(name) if f"*.{each}" in own), None)


def covers(domains: Iterable[str], name: str) -> bool:
    """Return whether a domain is one of ``domains``, or below one of them."""
    return name in domains or any(each in domains for each in above(name))
